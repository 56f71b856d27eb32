"""What an installation brings: mim and MMEngine find configs, tools and the index, and it all goes away again.

Each installation has an environment of its own, which sees the packages of the running one behind its own.
"""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from command import SHORT_DIGITS
from installation import OFFLINE, copy_sources, make_environment, run

# As `mim train`, MMEngine's hub and `_base_` look things up; each has its own way to the package's folder.
LOOK_UP = """
import json
from pathlib import Path

import mim.utils
import mmengine
from mmengine.config.utils import _get_external_cfg_base_path
from mmengine.utils import get_installed_path

import mmdrl
from mmdrl.shipped import find_config

def parts(folder):
    return [(folder / '.mim' / name).is_file() for name in
            ('configs/drl_r8_digits-lt.py', 'tools/train.py', 'model-index.yml')]

home = Path(mim.utils.get_installed_path('mmdrl'))
config = mmengine.Config.fromfile('inherits.py')
print(json.dumps({
    'package': str(Path(mmdrl.__file__).parent),
    'mim': parts(home),
    'mim fallback': (home / 'tools/train.py').is_file(),
    'mmengine': parts(Path(get_installed_path('mmdrl'))),
    'head': config.model.head.type,
    'work_dir': config.work_dir,
    'named': str(find_config('drl_r8_digits-lt')),
}))
"""

pytestmark = [pytest.mark.slow, pytest.mark.host]


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    return copy_sources(tmp_path_factory.mktemp('checkout'))


@pytest.fixture
def environment(tmp_path):
    """Interpreter of a fresh environment in front of the running one's packages, and where it installs to."""
    return make_environment(tmp_path / 'environment')


@pytest.fixture(scope='module')
def sdist(tree, tmp_path_factory):
    target = tmp_path_factory.mktemp('sdist')
    code = f'from setuptools.build_meta import build_sdist; build_sdist({str(target)!r})'
    run(sys.executable, '-c', code, cwd=tree)
    return next(target.glob('*.tar.gz'))


@pytest.mark.parametrize('way', ['folder', 'editable', 'sdist'])
def test_mim_and_mmengine_find_their_parts_until_uninstalled(way, tree, environment, request, tmp_path):
    python, site = environment
    before = set(site.rglob('*'))
    source = {'folder': [tree], 'editable': ['-e', tree]}.get(way) or [request.getfixturevalue('sdist')]
    run(python, '-m', 'pip', 'install', *OFFLINE, '--ignore-installed', *source, cwd=tmp_path)

    empty = tmp_path / 'empty'
    empty.mkdir()
    (empty / 'inherits.py').write_text("_base_ = 'mmdrl::digits_lt/drl_r8_digits-lt-ir50.py'\nwork_dir = 'x'\n")
    found = json.loads(run(python, '-c', LOOK_UP, cwd=empty).splitlines()[-1])
    assert found['package'] == str((tree if way == 'editable' else site) / 'mmdrl')
    # onedl-mim takes the checkout for an editable package's folder, where it falls back to tools/.
    assert found['mim'] == [True] * 3 or (way == 'editable' and found['mim fallback'])
    assert found['mmengine'] == [True] * 3
    assert found['head'] == 'mmdrl.DRHead'
    assert found['work_dir'] == 'x'
    assert found['named'] == str(Path(found['package']) / '.mim/configs/drl_r8_digits-lt.py')

    run(python, '-m', 'pip', 'uninstall', '--yes', 'mmdrl', cwd=tmp_path)
    assert set(site.rglob('*')) == before


def test_wheel_trains_and_tests_by_the_name_of_the_config_and_lists_its_models(tree, environment, tmp_path):
    """From an empty folder; from an editable installation in test_mim.py."""
    python, site = environment
    run(python, '-m', 'pip', 'install', *OFFLINE, '--ignore-installed', tree, cwd=tmp_path)
    empty = tmp_path / 'empty'
    empty.mkdir()
    config = 'drl_r8_digits-lt.py'
    mim = (python, '-W', 'ignore', '-c', 'from mim.cli import cli; cli()')
    output = run(*mim, 'train', 'mmdrl', config, '--gpus', 0, '--cfg-options', *SHORT_DIGITS, cwd=empty)
    assert 'Training finished successfully' in output
    folder = empty / 'work_dirs' / 'drl_r8_digits-lt'
    metrics = json.loads((folder / 'results.json').read_text())['metrics']
    checkpoint = folder / 'epoch_3.pth'
    output = run(*mim, 'test', 'mmdrl', config, '--checkpoint', checkpoint, '--gpus', 0, cwd=empty)
    assert f'{metrics["ncm/all"]:.1f}' in output
    code = "import mmdrl; from mmpretrain import get_model; print(get_model('drl_r8_digits-lt-ir50')._config.filename)"
    output = run(python, '-c', code, cwd=empty)
    assert output.splitlines()[-1] == str(site / 'mmdrl/.mim/configs/digits_lt/drl_r8_digits-lt-ir50.py')


def test_wheel_has_the_same_files_from_the_checkout_and_from_the_sdist(tree, sdist, tmp_path):
    shutil.unpack_archive(sdist, tmp_path)
    names = {}
    for source in (tree, next(tmp_path.glob('mmdrl-*'))):
        target = tmp_path / 'wheels' / source.name
        run(sys.executable, '-m', 'pip', 'wheel', *OFFLINE, '-w', target, source, cwd=tmp_path)
        with zipfile.ZipFile(next(target.glob('*.whl'))) as wheel:
            names[source] = sorted(wheel.namelist())
    first, second = names.values()
    assert first == second
    top = {name.partition('/')[0] for name in first}
    assert top == {'mmdrl', next(name for name in top if name.endswith('.dist-info'))}
    assert not any('/dev/' in name or name.endswith('entry_points.txt') for name in first)


def test_deleted_files_do_not_return_from_an_earlier_build(tree, tmp_path):
    for stale in ('mmdrl/gone.py', 'mmdrl/.mim/configs/gone.py'):
        path = tree / 'build' / 'lib' / stale
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    run(sys.executable, '-m', 'pip', 'wheel', *OFFLINE, '-w', tmp_path, tree, cwd=tmp_path)
    with zipfile.ZipFile(next(tmp_path.glob('*.whl'))) as wheel:
        assert not [name for name in wheel.namelist() if Path(name).stem == 'gone']
