"""A run that diverges ends with one sentence, status 1, and the checkpoints it had."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command import ROOT, tool
from digits_run import short_config, train
from mmengine.hooks import EMAHook, Hook
from refusals import command

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.guarded_step import GuardedStep
from mmdrl.engine.step_notes import StepNotes
from mmdrl.errors import DivergenceError


def check_all_finite(folder: Path) -> None:
    """Every tensor of every checkpoint below the folder: weights, averages, buffers, optimiser."""
    for path in folder.rglob('*.pth'):
        for name, value in tensors_in(read_checkpoint(str(path)), path.name):
            assert value.isfinite().all(), name


def tensors_in(content: Any, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(content, torch.Tensor):
        yield name, content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from tensors_in(value, f'{name} {key}')
    elif isinstance(content, (list, tuple)):
        for number, value in enumerate(content):
            yield from tensors_in(value, f'{name} {number}')


@pytest.mark.parametrize('config', ['drl_r8_digits-lt.py', 'ce_r8_digits-lt.py'])
def test_tool_ends_with_the_remedy_and_status_1(tmp_path: Path, config: str) -> None:
    options = ['optim_wrapper.optimizer.lr=1e6', 'default_hooks.summary.figures=False']
    status, said = command('train', ROOT / 'configs' / config, '--gpus', 0, '--cfg-options', *options, cwd=tmp_path)
    assert status == 1, said
    assert 'Traceback' not in said
    last = said.splitlines()[-1]
    assert last.startswith('error: Training has diverged at iteration '), last
    assert re.search(r'(gradients?|output) of backbone\.\S+.* (not finite|too large).* of class \d', last), last
    assert 'Lower the learning rate' in last
    check_all_finite(tmp_path)


@pytest.mark.slow
@pytest.mark.distributed
def test_no_process_waits_for_one_that_has_diverged(tmp_path: Path) -> None:
    options = ['optim_wrapper.optimizer.lr=1e6', 'default_hooks.summary.figures=False']
    config = ROOT / 'configs/drl_r8_digits-lt.py'
    answer = tool('train', config, '--gpus', 2, '--device', 'cpu', '--cfg-options', *options, cwd=tmp_path)
    assert answer.returncode == 1, answer.stdout
    assert 'Traceback' not in answer.stdout
    # The first process speaks for all.
    assert answer.stdout.count('error: Training has diverged at iteration ') == 1


class NotedOnly(Hook):
    """Makes step and head behave as on an accelerator, where they look at nothing, and spoils a weight."""

    priority = 'VERY_HIGH'

    def __init__(self, iteration: int):
        self.iteration = iteration

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        guard, head = runner.model.train_step, runner.model.head
        if isinstance(guard, GuardedStep) and guard.notes is None:
            guard.notes = StepNotes()
            guard._gradients.note = guard.notes.note
        head.check_divergence = lambda: None
        if runner.iter == self.iteration:
            runner.model.backbone.layer3[0].bn2.weight.data.fill_(float('nan'))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        del runner.model.head.check_divergence


@pytest.mark.parametrize('is_guarded', [True, False])
def test_hook_stops_what_the_training_step_has_only_noted(tmp_path: Path, is_guarded: bool) -> None:
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=2)])
    cfg.model.head.dr_loss = None  # on the CPU it would look for itself
    if not is_guarded:
        del cfg.default_hooks.non_finite
    said = r'iteration 12 \(epoch 2\): loss_cls and the gradient are' if is_guarded else 'the features of layer -1'
    with pytest.raises(DivergenceError, match=said):
        train(cfg, NotedOnly(11))  # the first iteration of the second epoch
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == ['epoch_1.pth']


class SpoiltWeight(Hook):
    """Spoils one weight behind the step of an iteration, in which everything was finite."""

    priority = 'VERY_HIGH'

    def __init__(self, iteration: int):
        self.iteration = iteration

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.iter == self.iteration:
            runner.model.backbone.conv1.weight.data[0, 0, 1, 1] = float('inf')


@pytest.mark.parametrize('mode', ['running', 'epoch', 'ema'])
def test_weights_spoilt_by_the_last_step_before_a_checkpoint_are_not_saved(tmp_path: Path, mode: str) -> None:
    changes = {'model.head.centroids.mode': mode, 'default_hooks.checkpoint.max_keep_ckpts': 1}
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=3)], **changes)
    with pytest.raises(DivergenceError, match='Lower the learning rate'):
        train(cfg, SpoiltWeight(21))
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == ['epoch_1.pth']
    check_all_finite(tmp_path)


@pytest.mark.parametrize('averaged', [False, True])
def test_spoilt_weights_are_not_saved_between_epochs(tmp_path: Path, averaged: bool) -> None:
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=1)])
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=2)
    with pytest.raises(DivergenceError, match=r'backbone\.conv1\.weight is not finite.*Lower the learning rate'):
        train(cfg, SpoiltWeight(5), *[EMAHook()] * averaged)
    assert (tmp_path / 'run/iter_4.pth').is_file()
    assert not (tmp_path / 'run/iter_6.pth').exists()
    check_all_finite(tmp_path)


def test_averages_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    class Spoilt(EMAHook):
        def after_train_epoch(self, runner: Any) -> None:
            self.ema_model.module.head.fc.weight.data[3, 1] = float('nan')

    with pytest.raises(DivergenceError, match=r'head\.fc\.weight'):
        train(short_config(tmp_path / 'run', [dict(name='only', epochs=1)]), Spoilt())
    assert not list((tmp_path / 'run').glob('*.pth'))
