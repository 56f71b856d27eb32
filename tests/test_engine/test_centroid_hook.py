"""Centroids in a run: what checkpoints, averaged models and interrupted epochs hold."""

from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import STAGES, short_config, train
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.errors import ConfigError

ONE_STAGE = [dict(name='only', epochs=2)]


@pytest.mark.parametrize('lost', ['class_counts', 'centroids'])
def test_run_without_a_hook_that_the_loss_needs_does_not_start(tmp_path: Path, lost: str) -> None:
    """Without them the loss would stay 0 unnoticed."""
    cfg = short_config(tmp_path / 'run', STAGES)
    name = cfg.default_hooks.pop(lost).type
    with pytest.raises(ConfigError, match=rf'{lost}=dict.*{name}'):
        train(cfg)
    assert not list((tmp_path / 'run').glob('*.pth'))


class CutInSecondEpoch(Hook):
    """Ends the run between two checkpoints of the second epoch."""

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.epoch == 1 and batch_idx == 6:
            raise KeyboardInterrupt


@pytest.mark.parametrize('mode', ['running', 'epoch', 'ema'])
def test_averaged_model_is_saved_with_the_newest_centroids(tmp_path: Path, mode: str) -> None:
    runner = train(short_config(tmp_path / 'run', ONE_STAGE, **{'model.head.centroids.mode': mode}), EMAHook())
    saved = read_checkpoint(str(tmp_path / 'run/epoch_2.pth'))['state_dict']
    for name, value in runner.model.head.centroids.state_dict().items():
        assert torch.equal(saved[f'head.centroids.{name}'], value), name
    assert not any(value.any() for name, value in saved.items() if 'sums' in name)


@pytest.mark.host
@pytest.mark.parametrize('mode', ['epoch', 'ema'])
def test_resumed_run_ends_with_the_centroids_of_the_whole_one(tmp_path: Path, mode: str) -> None:
    settings = {'model.head.centroids.mode': mode}
    whole = train(short_config(tmp_path / 'whole', **settings)).model.state_dict()
    with pytest.raises(KeyboardInterrupt):
        train(short_config(tmp_path / 'cut', **settings), CutInSecondEpoch())
    resumed = train(short_config(tmp_path / 'cut', resume=True, **settings)).model.state_dict()
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)


class SamplesInSums(Hook):
    """Notes how many samples each epoch's centroids are made of."""

    priority = 'HIGH'

    def __init__(self) -> None:
        self.seen: list[float] = []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if self.end_of_epoch(runner.train_dataloader, batch_idx):
            self.seen.append(runner.model.head.centroids.sums.counts.sum().item())


def by_iteration(folder: Path, **changes: Any) -> Config:
    cfg = short_config(folder, ONE_STAGE, **changes)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=4)
    return cfg


def test_epoch_done_again_after_resuming_counts_each_image_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(by_iteration(tmp_path / 'run'), CutInSecondEpoch())
    counter = SamplesInSums()
    train(by_iteration(tmp_path / 'run', resume=True), counter)
    assert counter.seen == [331]
