"""From a run to a model that others download, with the commands that they type."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml
from command import ROOT, mim, tool
from installation import OFFLINE, copy_sources, make_environment, run

pytestmark = [pytest.mark.slow, pytest.mark.host]
CONFIG = 'ce_r8_digits-lt-ir50'


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Address of a folder's files."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.01))
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.server_port}'
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which ``CONFIG`` was trained for one epoch; only its length was changed."""
    folder = tmp_path_factory.mktemp('trained')
    path = ROOT / f'configs/digits_lt/{CONFIG}.py'
    answer = tool('train', path, '--gpus', 0, '--cfg-options', 'train_cfg.max_epochs=1', cwd=folder)
    assert answer.returncode == 0, answer.stdout
    return folder


def test_mim_publishes_and_says_what_it_wrote(trained: Path, tmp_path: Path) -> None:
    options = ['--out', tmp_path / 'out', '--check', '--device', 'cpu']
    answer = mim('run', 'mmdrl', 'publish_model', f'work_dirs/{CONFIG}', *options, cwd=trained)
    assert answer.returncode == 0, answer.stdout
    (file,) = (tmp_path / 'out').glob('*.pth')
    assert str(file) in answer.stdout
    assert 'Top 1 Accuracy' in answer.stdout
    assert 'train_cfg.max_epochs=1 in place of 50' in answer.stdout


def test_mistake_ends_in_a_sentence(trained: Path, tmp_path: Path) -> None:
    answer = tool('publish_model', 'work_dirs', '--out', tmp_path / 'out', cwd=trained)
    assert answer.returncode == 1
    assert answer.stdout.splitlines()[-1] == (
        'error: Expected the results of a finished run in work_dirs/results.json, found none. Has that run reached its '
        'last epoch with mmdrl.SummaryHook, and validated?'
    )
    assert not list(tmp_path.iterdir())


def test_mim_downloads_what_the_index_names_and_its_test_gives_the_published_number(
    trained: Path, tmp_path: Path
) -> None:
    tree = copy_sources(tmp_path / 'checkout')
    metafile = tree / 'configs/digits_lt/metafile.yml'
    with served(tmp_path / 'published') as address:
        options = ['--out', tmp_path / 'published', '--url-prefix', address, '--json', '--device', 'cpu']
        answer = tool('publish_model', f'work_dirs/{CONFIG}', *options, cwd=trained)
        published = json.loads(answer.stdout[answer.stdout.index('{\n') :])['row']
        index = yaml.safe_load(metafile.read_text())
        row = next(row for row in index['Models'] if row['Name'] == CONFIG)
        row |= dict(Weights=published['Weights'], Results=published['Results'])
        metafile.write_text(yaml.safe_dump(index))
        python, _ = make_environment(tmp_path / 'environment')
        run(python, '-m', 'pip', 'install', *OFFLINE, '--ignore-installed', tree, cwd=tmp_path)
        folder = tmp_path / 'empty'
        folder.mkdir()
        command = (python, '-W', 'ignore', '-c', 'from mim.cli import cli; cli()')
        run(*command, 'download', 'mmdrl', '--config', CONFIG, '--dest', '.', cwd=folder)
        code = (
            f'import mmdrl, mmpretrain; print(mmpretrain.get_model({CONFIG!r}, pretrained=True).head.centroids.is_seen)'
        )
        output = run(python, '-W', 'ignore', '-c', code, cwd=folder, TORCH_HOME=str(tmp_path / 'torch'))
        assert 'False' not in output
        assert 'do not match' not in output
    (file,) = folder.glob('*.pth')
    assert file.read_bytes() == (tmp_path / 'published' / file.name).read_bytes()
    assert (tmp_path / 'torch/hub/checkpoints' / file.name).is_file()
    output = run(*command, 'test', 'mmdrl', f'{CONFIG}.py', '--checkpoint', file.name, '--gpus', 0, cwd=folder)
    assert f'all: {published["Results"][0]["Metrics"]["Top 1 Accuracy"]:.4f}' in output
