"""What a run was made with is found out, or None; it never stops the run."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import short_config, train
from mmengine.hooks import Hook

from mmdrl.engine import environment
from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.environment import describe_environment, git_revision
from mmdrl.engine.results import read_results

STAGE = [dict(name='only', epochs=2)]


def git(folder: Path, *command: str) -> str:
    who = ['-c', 'user.name=someone', '-c', 'user.email=someone@example.org']
    return subprocess.run(['git', '-C', folder, *who, *command], check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(shutil.which('git') is None, reason='needs git')
def test_revision_is_that_of_the_checkout_and_changes_are_told(tmp_path: Path) -> None:
    git(tmp_path, 'init')
    (tmp_path / 'a').write_text('a')
    git(tmp_path, 'add', 'a')
    git(tmp_path, 'commit', '--message', 'a')
    revision = git(tmp_path, 'rev-parse', 'HEAD').strip()
    assert git_revision(tmp_path) == dict(revision=revision, has_changes=False)
    records = tmp_path / 'benchmarks/results/accuracy'
    records.mkdir(parents=True)
    (records / 'la_0.json').write_text('{}')  # what the run before has left is no change of the code
    assert git_revision(tmp_path) == dict(revision=revision, has_changes=False)
    (tmp_path / 'benchmarks/new.py').write_text('')
    assert git_revision(tmp_path) == dict(revision=revision, has_changes=True)
    (tmp_path / 'benchmarks/new.py').unlink()
    (tmp_path / 'a').write_text('b')
    assert git_revision(tmp_path) == dict(revision=revision, has_changes=True)
    (tmp_path / 'inside').mkdir()
    assert git_revision(tmp_path / 'inside') is None  # a package installed into somebody's checkout is not it


def test_no_git_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_revision(tmp_path) is None
    (tmp_path / '.git').mkdir()  # which is none
    assert git_revision(tmp_path) is None
    monkeypatch.setenv('PATH', str(tmp_path))
    assert git_revision(tmp_path) is None


def test_machine_that_tells_nothing_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, '_CPU_INFO', tmp_path / 'none')
    found = describe_environment()
    assert found['versions']['torch'] == torch.__version__.partition('+')[0]
    assert {'command', 'git', 'python', 'cpu', 'cpu_cores'} < set(found)


class StopAfter(Hook):
    """Ends the process's training after an epoch, as a kill would."""

    priority = 'LOWEST'

    def __init__(self, epoch: int):
        self.epoch = epoch

    def after_train_epoch(self, runner: Any) -> None:
        if runner.epoch + 1 == self.epoch:
            raise KeyboardInterrupt


def test_results_say_what_the_run_was_made_with_and_add_up_the_time(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(short_config(tmp_path / 'run', STAGE), StopAfter(1))
    path = tmp_path / 'run/epoch_1.pth'
    checkpoint = read_checkpoint(str(path))
    assert 0 < checkpoint['train_seconds'] < 100
    checkpoint['train_seconds'] = 1000.0
    torch.save(checkpoint, path)
    train(short_config(tmp_path / 'run', STAGE, resume=True))
    results = read_results(tmp_path / 'run')
    assert 1000 < results['train_seconds'] < 1100
    assert (results['config'], results['total_batch_size']) == ('drl_r8_digits-lt', 32)
    assert results['devices'] == [torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu']
    assert results['epochs'] == 2
    assert any('mmcv' in name for name in results['versions'])
