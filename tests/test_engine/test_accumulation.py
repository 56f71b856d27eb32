"""Gradients that wait for a step: when a checkpoint holds them, and when a run takes them up."""

from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import short_config, train
from mmengine.config import Config
from mmengine.hooks import Hook

from mmdrl.engine.accumulation import KEY, put_back_gradients
from mmdrl.errors import DataError


class First(Hook):
    """Notes the gradients that the first iteration finds, and ends the run."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.runner = runner
        self.found = {name: p.grad for name, p in runner.model.named_parameters()}
        raise KeyboardInterrupt


class Stop(Hook):
    """Notes the gradients of iteration 3 and ends the run after iteration 7."""

    priority = 'LOWEST'

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.iter == 2:
            self.runner = runner
            self.gradients = {name: p.grad.clone() for name, p in runner.model.named_parameters()}
        if runner.iter == 6:
            raise KeyboardInterrupt


def config(folder: Path, counts: int = 2) -> Config:
    cfg = short_config(folder)
    del cfg.default_hooks.stages
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=3)
    cfg.optim_wrapper.accumulative_counts = counts
    return cfg


@pytest.fixture(scope='module')
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Stop]:
    """Checkpoints of iterations 3 and 6, of which two are a step."""
    folder, hook = tmp_path_factory.mktemp('accumulation') / 'run', Stop()
    with pytest.raises(KeyboardInterrupt):
        train(config(folder), hook)
    return folder, hook


def resumed(folder: Path, checkpoint: str = 'iter_3.pth', **changes: Any) -> First:
    hook = First()
    cfg = config(folder.parent / 'again', **changes)
    cfg.resume, cfg.load_from = True, str(folder / checkpoint)
    with pytest.raises(KeyboardInterrupt):
        train(cfg, hook)
    return hook


def test_checkpoint_between_two_steps_holds_the_gradients(stopped: tuple[Path, Stop]) -> None:
    folder, hook = stopped
    saved = torch.load(folder / 'iter_3.pth', weights_only=False)[KEY]
    assert saved['counts'] == 2
    assert saved['gradients'].keys() == hook.gradients.keys()
    assert all(torch.equal(value, hook.gradients[name]) for name, value in saved['gradients'].items())
    assert KEY not in torch.load(folder / 'iter_6.pth', weights_only=False)


def test_resumed_run_finds_them_and_says_so(stopped: tuple[Path, Stop]) -> None:
    folder, expected = stopped
    hook = resumed(folder)
    assert all(torch.equal(gradient, expected.gradients[name]) for name, gradient in hook.found.items())
    assert set(resumed(folder, 'iter_6.pth').found.values()) == {None}


@pytest.mark.parametrize('counts', [1, 4])
def test_gradients_of_another_accumulation_are_left_out(stopped: tuple[Path, Stop], counts: int) -> None:
    hook = resumed(stopped[0], counts=counts)
    assert set(hook.found.values()) == {None}
    log = next(Path(hook.runner.log_dir).glob('*.log')).read_text()
    assert f'accumulative_counts was 2 and is {counts}' in log


@pytest.mark.parametrize(
    'saved',
    [
        3,
        {'counts': 2},
        {'counts': 2, 'gradients': {'head.nothing': torch.zeros(2)}},
        {'counts': 2, 'gradients': {'head.fc.bias': torch.zeros(3)}},
        {'counts': 2, 'gradients': {'head.fc.bias': [0.0] * 10}},
    ],
)
def test_damaged_gradients_are_a_sentence(stopped: tuple[Path, Stop], saved: Any) -> None:
    with pytest.raises(DataError, match="'accumulation' must hold one gradient"):
        put_back_gradients(stopped[1].runner, saved)
