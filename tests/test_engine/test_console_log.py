"""What the console leaves out of the log, and how an interrupted run is gone on with."""

import io
import logging
from pathlib import Path

import pytest
from digits_run import short_config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console

from mmdrl.engine.console_log import ConsoleFilter, join_bars
from mmdrl.engine.run import train_model
from mmdrl.errors import DataError, DivergenceError
from mmdrl.registry import HOOKS
from mmdrl.started import STARTED, resume_command
from mmdrl.visualization.bars import Screen


def shown(text: str, level: int = logging.INFO, has_bars: bool = False, by_epoch: bool = True) -> bool:
    logger = logger_of_a_console()
    if has_bars:
        join_bars(logger, Screen(Console(file=io.StringIO(), force_terminal=True)), by_epoch)
    return bool(logger.handlers[0].filter(logging.LogRecord('mmengine', level, '', 0, text, None, None)))


def logger_of_a_console(level: int = logging.INFO) -> logging.Logger:
    logger = logging.Logger('mmengine')
    logger.addHandler(handler := logging.StreamHandler(io.StringIO()))
    handler.setLevel(level)
    handler.addFilter(ConsoleFilter())
    return logger


@pytest.mark.host
@pytest.mark.parametrize('verbose', [False, True])
def test_console_has_a_header_or_all_of_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verbose: bool
) -> None:
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=1)], log_level='INFO')
    cfg.optim_wrapper.paramwise_cfg = dict(norm_decay_mult=0.0)  # has MMEngine write a line per parameter
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    train_model(cfg, verbose=verbose)
    text = capsys.readouterr().out
    written = next((tmp_path / 'run').glob('*/*.log')).read_text()
    for words in ('System environment', 'Config:', 'Hooks will be executed', 'Exp name', 'paramwise_options'):
        assert words in written
        assert (words in text) is verbose
    assert ('331 images of 10 classes' in text) is not verbose
    assert text.count('Epoch(train)') == 1


def test_header_is_silent_where_warnings_only_are_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=1)])
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    train_model(cfg)
    assert capsys.readouterr().out == ''


def test_lines_of_every_epoch_are_left_out_where_bars_stand_for_them() -> None:
    for text in ('Epoch(train) [1][2/2]  loss: 1.0', 'Epoch(val) [1][100/313]', 'Epoch(test) [1/1]'):
        assert shown(text)
        assert not shown(text, has_bars=True)
    assert shown('Iter(train) [100/1000]', has_bars=True)  # a loop without epochs has no line of its own
    assert shown('Epoch(train) [1][10/11]', has_bars=True, by_epoch=False)  # as log_processor.by_epoch has it


def test_lines_of_epochs_are_for_those_who_want_more_than_warnings() -> None:
    on = Screen(Console(file=io.StringIO(), force_terminal=True))
    assert join_bars(logger_of_a_console(), on)
    assert not join_bars(logger_of_a_console(logging.WARNING), on)


def test_warnings_are_shown_but_for_those_of_frozen_parameters() -> None:
    assert not shown('backbone.conv1.weight is skipped since its requires_grad=False', logging.WARNING)
    assert shown('Training has stopped.', logging.WARNING)
    assert shown('Config:\nof an error', logging.ERROR)


@pytest.mark.parametrize(
    ('typed', 'resumed'),
    [
        ('tools/train.py a.py', 'python tools/train.py a.py --resume'),
        ('train.py a.py --resume --gpus 0', 'python train.py a.py --gpus 0 --resume'),
        ('train.py a.py --resume old.pth --amp', 'python train.py a.py --amp --resume'),
        ('train.py a.py --resume=old.pth', 'python train.py a.py --resume'),
        ('train.py a.py --gpus 2 --launcher pytorch', 'python train.py a.py --gpus 2 --resume'),
        ('train.py a.py --cfg-options b=1 c=2', 'python train.py a.py --cfg-options b=1 c=2 --resume'),
    ],
)
def test_command_to_go_on_is_the_one_typed_with_resume(typed: str, resumed: str) -> None:
    assert resume_command(typed.split()) == resumed


def test_lists_are_quoted_in_the_command() -> None:
    assert resume_command(['train.py', 'a.py', '--cfg-options', 'a=[1, 2]']).endswith("'a=[1, 2]' --resume")


@HOOKS.register_module(force=True)
class BreakInSecondEpoch(Hook):
    """Ends a run."""

    error = Exception()

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == 1:
            raise self.error


@pytest.mark.parametrize('error', [RuntimeError('CUDA out of memory'), DataError('An image is gone.')])
def test_error_in_the_middle_of_a_run_tells_how_to_go_on(tmp_path: Path, error: Exception) -> None:
    broken = end_of(tmp_path, error)
    assert broken is error
    assert vars(broken)['way_back'].startswith('It was in epoch 2 of 5')
    assert 'the last checkpoint is epoch_1.pth. Go on with: python ' in vars(broken)['way_back']


def test_error_that_would_come_again_tells_none(tmp_path: Path) -> None:
    assert 'way_back' not in vars(end_of(tmp_path, DivergenceError('The loss is nan.')))


@pytest.mark.parametrize('started', [True, False])
def test_command_of_another_launcher_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: bool
) -> None:
    monkeypatch.setenv('WORLD_SIZE', '2')
    if started:
        monkeypatch.setenv(STARTED, '1')
    assert ('Go on with the same command and --resume.' in vars(end_of(tmp_path, OSError()))['way_back']) != started


def end_of(folder: Path, error: Exception) -> Exception:
    cfg = short_config(folder / 'run')
    cfg.custom_hooks = [dict(type='mmdrl.BreakInSecondEpoch')]
    BreakInSecondEpoch.error = error
    with pytest.raises(type(error)) as caught:
        train_model(cfg)
    return caught.value
