"""How much of the training set a process gets, as its loader tells."""

from pathlib import Path

import pytest
import torch
from digits_run import short_config, train
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import DataLoader, TensorDataset

from mmdrl.datasets import BatchBalancedSampler, Digits
from mmdrl.engine import processes
from mmdrl.errors import ConfigError

IMAGES = TensorDataset(torch.zeros(331, 1))


@pytest.mark.parametrize(('count', 'expected'), [(1, 11), (2, 6), (4, 3)])
def test_endless_sampler_tells_the_length_of_the_whole_set(
    monkeypatch: pytest.MonkeyPatch, count: int, expected: int
) -> None:
    monkeypatch.setattr(processes, 'get_world_size', lambda: count)
    loader = DataLoader(IMAGES, batch_size=32, sampler=InfiniteSampler(IMAGES, seed=0))
    assert processes.batches_per_pass(loader) == expected


def test_other_samplers_tell_that_of_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, 'get_world_size', lambda: 2)
    sampler = DefaultSampler(IMAGES, seed=0)
    sampler.num_samples = 166  # as in one of two processes
    assert processes.batches_per_pass(DataLoader(IMAGES, batch_size=32, sampler=sampler)) == 6


@pytest.mark.parametrize(
    ('count', 'size', 'fits'), [(1, 8, True), (2, 4, True), (2, 8, True), (1, 6, False), (3, 4, False)]
)
def test_batches_of_all_processes_hold_whole_blocks(
    monkeypatch: pytest.MonkeyPatch, count: int, size: int, fits: bool
) -> None:
    monkeypatch.setattr(processes, 'get_world_size', lambda: count)
    digits = Digits()
    sampler = BatchBalancedSampler(digits, classes_per_batch=4, samples_per_class=2, seed=0)
    loader = DataLoader(digits, batch_size=size, sampler=sampler)
    if fits:
        processes.check_whole_blocks(loader)
    else:
        with pytest.raises(ConfigError, match=rf'8 images.* {count} x {size} = {count * size} is none'):
            processes.check_whole_blocks(loader)


@pytest.mark.parametrize(('where', 'by_epoch'), [('loader', True), ('loader', False), ('stage', True)])
def test_run_whose_batches_would_cut_blocks_does_not_begin(tmp_path: Path, where: str, by_epoch: bool) -> None:
    blocks = dict(type='mmdrl.BatchBalancedSampler', classes_per_batch=3, samples_per_class=5)
    stage = dict(name='only', epochs=1)
    cfg = short_config(tmp_path, [dict(stage, sampler=blocks) if where == 'stage' else stage])
    if where == 'loader':
        cfg.train_dataloader.sampler = blocks
    if not by_epoch:
        del cfg.default_hooks.stages
        cfg.train_cfg = dict(type='mmdrl.ResumableIterLoop', max_iters=2)
    with pytest.raises(ConfigError, match='15 images'):
        train(cfg)
