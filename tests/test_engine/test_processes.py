"""How much of the training set a process gets, as its loader tells."""

import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import DataLoader, TensorDataset

from mmdrl.engine import processes

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
