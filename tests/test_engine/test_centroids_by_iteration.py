"""Centroids in a loop that counts iterations: what an interval is made of, and what is left over at the end."""

from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import short_config, train
from mmengine.config import Config
from mmengine.hooks import Hook

from mmdrl.engine.checkpoints import read_checkpoint

PASS = 11  # iterations of 32 images that the 331 need


def iterations(folder: Path, count: int, interval: int | None = None, **changes: Any) -> Config:
    cfg = short_config(folder, **changes)
    del cfg.default_hooks.stages
    cfg.train_cfg = dict(by_epoch=False, max_iters=count, val_interval=count)
    cfg.param_scheduler = None
    cfg.default_hooks.centroids.interval = interval
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=3, max_keep_ckpts=100)
    return cfg


class Interval(Hook):
    """Notes the samples summed up before each iteration's publication, and the centroids after it."""

    priority = 'HIGH'

    def __init__(self) -> None:
        self.samples: list[int] = []
        self.centroids: list[torch.Tensor] = []

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.centroids.append(runner.model.head.centroids.centroids.clone())

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.model.head.centroids.mode == 'running':
            self.samples.append(int(runner.model.head.centroids.sums.counts.sum()))


def test_what_the_last_interval_leaves_over_does_not_replace_whole_centroids(tmp_path: Path) -> None:
    witness = Interval()
    head = train(iterations(tmp_path / 'run', PASS + 3), witness).model.head
    assert witness.samples[PASS - 1] == 331
    assert head.centroids.is_seen.all()
    assert torch.equal(head.centroids.centroids, witness.centroids[PASS])
    assert head.centroids.sums.counts.sum() == 3 * 32


def test_run_shorter_than_an_interval_publishes_what_it_has_before_its_last_checkpoint(tmp_path: Path) -> None:
    head = train(iterations(tmp_path / 'run', 3)).model.head
    assert head.centroids.is_seen.any()
    saved = read_checkpoint(str(tmp_path / 'run/iter_3.pth'))['state_dict']
    assert torch.equal(saved['head.centroids.centroids'], head.centroids.centroids)


class PowerCut(Hook):
    """Ends the run between two checkpoints."""

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.iter == 6:
            raise KeyboardInterrupt


def test_resumed_run_goes_on_with_its_sums(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(iterations(tmp_path / 'run', 10, interval=10), PowerCut())
    witness = Interval()
    train(iterations(tmp_path / 'run', 10, interval=10, resume=True), witness)
    assert witness.samples == [7 * 32, 8 * 32, 9 * 32, 10 * 32]


@pytest.mark.parametrize('mode', ['running', 'epoch'])
def test_run_that_starts_from_the_weights_of_another_takes_no_sums_and_no_centroids_for_exact(
    tmp_path: Path, mode: str
) -> None:
    settings = {'model.head.centroids.mode': mode}
    train(iterations(tmp_path / 'first', 6, interval=4, **settings))
    checkpoint = str(tmp_path / 'first/iter_6.pth')
    old = read_checkpoint(checkpoint)['state_dict']['head.centroids.centroids']
    witness = Interval()
    train(iterations(tmp_path / 'second', 3, interval=3, load_from=checkpoint, **settings), witness)
    if mode == 'running':
        assert witness.samples == [32, 64, 96]
    else:
        assert not torch.equal(witness.centroids[0], old)  # the weights have moved on since those were made
