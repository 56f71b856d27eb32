"""Nothing that is shipped runs what it reads: no pickles, no code in files, no shell."""

import ast
from collections.abc import Iterator

import pytest
from command import ROOT

FOLDERS = ('mmdrl', 'tools', 'benchmarks', 'examples', 'docs')
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob('*.py')) if '_build' not in path.parts]
FILES += [ROOT / 'setup.py']

RUNS_WHAT_IT_READS = {
    *('pickle.load', 'pickle.loads', 'pickle.Unpickler', 'marshal.load', 'marshal.loads', 'shelve.open', 'dill.load'),
    *('joblib.load', 'pd.read_pickle', 'yaml.load', 'yaml.unsafe_load', 'yaml.full_load', 'eval', 'exec', 'compile'),
    *('__import__', 'os.system', 'os.popen', 'subprocess.getoutput', 'subprocess.getstatusoutput', 'torch.hub.load'),
    *('torch.hub.load_state_dict_from_url', 'torch.package.PackageImporter', 'Config.fromfile', 'Config.fromstring'),
    *('mmengine.load', 'fileio.load', 'shutil.unpack_archive', 'zipfile.extractall', 'runpy.run_path'),
}

# What of it there is, and why it may be.
EXCEPTIONS = {
    ('mmdrl/datasets/arrays/array_pickle.py', '_ArrayUnpickler'): 'admits arrays and plain containers only',
    ('setup.py', 'exec'): 'the file with the version, of the package itself',
    ('tools/dev/index_facts.py', 'Config.fromfile'): "of the repository's own configs",
    ('mmdrl/datasets/preparation/archives.py', 'tarfile.open'): "members are taken out by filter='data' alone",
    ('mmdrl/import_hook.py', 'self.loader.exec_module'): 'the import of a module, as the loader that was found does it',
    ('benchmarks/measure.py', 'spec.loader.exec_module'): "the authors' code, from a file that the user names",
}


def suspicious_calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        settings = {word.arg: ast.unparse(word.value) for word in node.keywords}
        is_load = name in ('torch.load', 'load') and 'torch' in name and settings.get('weights_only') != 'True'
        is_pickle = settings.get('allow_pickle', 'False') != 'False' or name.endswith('Unpickler')
        is_shell = settings.get('shell', 'False') != 'False'
        is_archive = name in ('tarfile.open', 'tarfile.TarFile') or name.endswith(('.extractall', '.exec_module'))
        is_unfiltered = name.endswith('.extract') and settings.get('filter') != "'data'"
        if name in RUNS_WHAT_IT_READS or any((is_load, is_pickle, is_shell, is_archive, is_unfiltered)):
            yield name, node


def test_nothing_that_is_shipped_runs_what_it_reads() -> None:
    used = set()
    for path in FILES:
        place = str(path.relative_to(ROOT))
        for name, node in suspicious_calls(ast.parse(path.read_text())):
            assert (place, name) in EXCEPTIONS, f'{place}, line {node.lineno}: {ast.unparse(node)[:100]}'
            used.add((place, name))
    assert used == set(EXCEPTIONS), 'exceptions that are none any more'
    assert len(FILES) > 200


@pytest.mark.parametrize(
    'code',
    [
        'torch.load(path)',
        'torch.load(path, weights_only=False)',
        'torch.load(path, weights_only=safe)',
        'np.load(path, allow_pickle=True)',
        'pickle.load(stream)',
        'yaml.load(text, Loader=yaml.Loader)',
        'eval(text)',
        'subprocess.run(text, shell=True)',
        'archive.extractall(folder)',
        'archive.extract(member, folder)',
    ],
)
def test_the_walk_sees(code: str) -> None:
    assert [*suspicious_calls(ast.parse(code))]


def test_modules_that_could_hide_them_are_imported_by_name() -> None:
    hidden = {'pickle', 'marshal', 'shelve', 'yaml', 'torch.hub', 'builtins'}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = {f'{node.module}.{name.name}' for name in node.names}
                assert node.module not in hidden, path
                assert not names & {'torch.load', 'numpy.load', 'os.system', 'mmengine.fileio.pickle'}, path
            elif isinstance(node, ast.Import):
                assert not any(name.asname for name in node.names if name.name in hidden | {'torch', 'os'}), path
