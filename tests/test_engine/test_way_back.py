"""What is said of a run that breaks off: only a run that has trained itself has a way back."""

import os
import re
from multiprocessing import resource_sharer
from pathlib import Path
from typing import Any

import pytest
from digits_run import short_config
from mmengine.config import Config
from mmengine.hooks import Hook

from mmdrl.engine.gone_processes import tell_gone_process
from mmdrl.engine.run import train_model
from mmdrl.errors import DataError, ProcessError, name_too_long
from mmdrl.registry import HOOKS


@HOOKS.register_module(force=True)
class Refuse(Hook):
    """Ends a run by a sentence."""

    def __init__(self, at: str, iteration: int):
        self.iteration = iteration
        setattr(self, at, self.refuse)

    def refuse(self, runner: Any, *args: Any, **settings: Any) -> None:
        if runner.iter >= self.iteration:
            raise DataError('No more.')


@pytest.fixture(autouse=True)
def plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: str(self.to_dict())))


def refused(folder: Path, at: str, iteration: int, verbose: bool = False, **settings: Any) -> str:
    cfg = short_config(folder)
    cfg.custom_hooks = [dict(type='mmdrl.Refuse', at=at, iteration=iteration)]
    with pytest.raises(DataError, match='No more') as caught:
        train_model(cfg, verbose=verbose, **settings)
    return str(getattr(caught.value, 'way_back', ''))


@pytest.mark.host
@pytest.mark.parametrize('verbose', [False, True])
def test_iterations_of_a_checkpoint_are_not_those_of_the_run_that_goes_on(
    tmp_path: Path, verbose: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    assert 'the last checkpoint is epoch_1.pth' in refused(tmp_path / 'run', 'after_train_iter', 12, resume='auto')
    assert 'Did not find' not in capfd.readouterr().out
    checkpoint = str(tmp_path / 'run/epoch_1.pth')
    # Broken off before its first iteration: the same command gets no further, and its new folder goes.
    assert refused(tmp_path / 'new', 'before_train', 1, verbose, resume=checkpoint) == ''
    assert not (tmp_path / 'new').exists()
    assert 'epoch 2 of 5' in refused(tmp_path / 'new', 'after_train_iter', 12, verbose, resume=checkpoint)


def test_batch_of_a_worker_that_has_gone_is_not_taken_for_a_missing_file() -> None:
    """Its socket is gone before the system has told that the worker is."""
    number = os.getpid()
    with pytest.raises((OSError, EOFError)) as caught:
        resource_sharer._resource_sharer.get_connection((f'\0mmdrl-{number}', 0))  # type: ignore[attr-defined]
    with pytest.raises(ProcessError, match='A worker of a data loader has ended unexpectedly'):
        tell_gone_process(caught.value)
    tell_gone_process(FileNotFoundError(2, 'No such file', 'images'))


def test_name_that_is_too_long_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='too long') as caught:
        (tmp_path / ('x' * 300)).open()
    assert re.fullmatch(r'.* too long: .*\. Give a shorter one\.', str(name_too_long(caught.value)))
    assert name_too_long(FileNotFoundError(2, 'No such file', 'a')) is None
