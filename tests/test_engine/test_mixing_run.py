"""A run that mixes images in one stage and has the DR loss in the next."""

from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import short_config, train
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

STAGES = [
    dict(name='mixed', epochs=2, loss_weights=dict(loss_dr=0.0)),
    dict(name='robust', epochs=2, mixing=False),
]


class Watch(Hook):
    """Notes per epoch, at its first iteration: labels of the batch, as the head got them, and losses."""

    def __init__(self) -> None:
        self.epochs: list[tuple[bool, set[str], torch.Tensor]] = []
        self.inputs: list[torch.Tensor] = []

    def before_train_epoch(self, runner: Runner) -> None:
        self.is_seen = runner.model.head.centroids.is_seen.clone()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        self.inputs.append(data_batch['inputs'].clone())

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if batch_idx == 0:
            self.epochs.append(('gt_score' in data_batch['data_samples'][0], set(outputs), self.is_seen))


def mixing_config(work_dir: Path, kind: str, **changes: Any) -> Config:
    cfg = short_config(work_dir, STAGES, **changes)
    if kind == 'Remix':
        cfg.model.data_preprocessor.type = 'mmdrl.RemixDataPreprocessor'
    else:
        cfg.train_dataloader.dataset = dict(type='mmdrl.BalancedMixup', dataset=cfg.train_dataloader.dataset)
    return cfg


@pytest.mark.parametrize('kind', ['Remix', 'BalancedMixup'])
def test_centroids_begin_where_mixing_ends(tmp_path: Path, kind: str) -> None:
    watch = Watch()
    runner = train(mixing_config(tmp_path / kind, kind), watch)
    assert [is_mixed for is_mixed, _, _ in watch.epochs] == [True, True, False, False]
    assert ['loss_dr' in losses for _, losses, _ in watch.epochs] == [False, False, True, True]
    assert [bool(is_seen.any()) for _, _, is_seen in watch.epochs] == [False, False, False, True]
    assert runner.model.head.class_counts.sum() == 331


def test_mixed_images_do_not_depend_on_who_loads_them(tmp_path: Path) -> None:
    pixels = []
    for workers in (0, 2):
        watch = Watch()
        cfg = mixing_config(tmp_path / str(workers), 'BalancedMixup')
        cfg.train_dataloader.num_workers, cfg.train_dataloader.persistent_workers = workers, False
        train(cfg, watch)
        pixels.append(torch.cat(watch.inputs[:10]))
    assert torch.equal(*pixels)
    assert (pixels[0] != pixels[0].round()).any()
