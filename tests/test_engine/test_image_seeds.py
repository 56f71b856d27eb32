"""The random numbers of an image are the same from any worker and any process."""

import copy
import pickle
import random
from typing import Any

import numpy as np
import pytest
import torch
from drawn_numbers import Drawn
from torch.utils.data import BatchSampler, DataLoader, Subset

from mmdrl.engine.loops import image_seeds
from mmdrl.engine.loops.image_seeds import SeedingBatch, SeedingBatches, seed_images
from mmdrl.engine.loops.order import order_of, rest_of_pass
from mmdrl.engine.loops.randomness import seed_image

IMAGES = 23


def rows(batches: Any) -> list[tuple[float, ...]]:
    return [row for batch in batches for row in batch]


def loader(dataset: Any = None, **settings: Any) -> DataLoader:
    order = torch.randperm(IMAGES, generator=torch.Generator().manual_seed(1)).tolist()
    settings.setdefault('batch_size', 4)
    return DataLoader(Drawn(IMAGES) if dataset is None else dataset, sampler=order, collate_fn=list, **settings)


def one_pass(found: DataLoader, epoch: int = 0, seed: int = 0) -> list[tuple[float, ...]]:
    seed_images(found, seed, epoch)
    return rows(found)


@pytest.fixture
def expected() -> list[tuple[float, ...]]:
    return one_pass(loader())


def test_every_image_has_numbers_of_its_own(expected: list[tuple[float, ...]]) -> None:
    found = [*expected, *one_pass(loader(), epoch=1), *one_pass(loader(), seed=1)]
    for values in list(zip(*found, strict=True))[1:]:
        assert len(set(values)) == 3 * IMAGES


@pytest.mark.parametrize('workers', [1, 2, 3])
def test_number_of_workers_does_not_matter(workers: int, expected: list[tuple[float, ...]]) -> None:
    found = loader(num_workers=workers, persistent_workers=True)
    assert one_pass(found) == expected
    second = one_pass(found, epoch=1)
    assert second == one_pass(loader(), epoch=1) != expected


@pytest.mark.slow
def test_spawned_workers_draw_the_same(expected: list[tuple[float, ...]]) -> None:
    assert one_pass(loader(num_workers=2, multiprocessing_context='spawn')) == expected


def test_state_of_the_process_and_size_of_batches_do_not_matter(expected: list[tuple[float, ...]]) -> None:
    random.seed(5)
    torch.manual_seed(7)
    assert one_pass(loader(batch_size=7)) == expected


def test_rest_of_a_pass_draws_what_the_whole_pass_did(expected: list[tuple[float, ...]]) -> None:
    found = loader(num_workers=2)
    seed_images(found, 0, 0)
    assert rows(rest_of_pass(found, 3)) == expected[12:]


@pytest.mark.parametrize('processes', [2, 3])
def test_number_of_processes_does_not_matter(
    processes: int, expected: list[tuple[float, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    order = [int(row[0]) for row in expected]
    for rank in range(processes):
        monkeypatch.setattr(image_seeds, 'get_dist_info', lambda rank=rank: (rank, processes))
        share = DataLoader(Drawn(IMAGES), sampler=order[rank::processes], batch_size=2, collate_fn=list)
        assert one_pass(share) == expected[rank::processes]


def test_subset_hands_the_positions_on(expected: list[tuple[float, ...]]) -> None:
    assert one_pass(loader(Subset(Drawn(IMAGES), range(IMAGES)))) == expected


def test_batch_sampler_looks_as_before_and_is_wrapped_once() -> None:
    found = loader(drop_last=True)
    own = found.batch_sampler
    seed_images(found, 3, 0)
    wrapped: Any = found.batch_sampler
    seed_images(found, 3, 4)
    assert found.batch_sampler is wrapped
    assert (wrapped.seed, wrapped.epoch) == (3, 4)
    assert (wrapped.sampler, wrapped.batch_size, wrapped.drop_last) == (own.sampler, 4, True)
    assert len(found) == len(wrapped) == 5
    with pytest.raises(AttributeError, match='BatchSampler'):
        wrapped.nothing  # noqa: B018
    assert order_of(found) is own.sampler
    assert [batch[:] for batch in copy.deepcopy(wrapped)] == [batch[:] for batch in pickle.loads(pickle.dumps(wrapped))]


def test_order_of_a_batch_sampler_without_a_sampler_is_itself() -> None:
    found = DataLoader(Drawn(IMAGES), batch_sampler=[[3, 4], [5]])
    seed_images(found, 0, 0)
    assert order_of(found) == [[3, 4], [5]]


def test_loader_without_batches_is_left_alone() -> None:
    found = loader(batch_size=None)
    seed_images(found, 0, 0)
    assert found.batch_sampler is None
    assert [int(row[0]) for row in found] == list(found.sampler)


def test_batches_that_are_no_lists_are_left_alone() -> None:
    batches = [np.arange(2), [4, 5]]
    found = list(SeedingBatches(batches))
    assert found[0] is batches[0]
    assert isinstance(found[1], SeedingBatch)


def test_pickling_a_batch_draws_nothing() -> None:
    batch = SeedingBatch([4, 9, 2], key=8, first=5, step=3)
    random.seed(1)
    before = random.getstate()
    copied = pickle.loads(pickle.dumps(batch))
    assert random.getstate() == before
    assert (copied[:], copied.key, copied.first, copied.step) == ([4, 9, 2], 8, 5, 3)


def test_key_is_that_of_the_moment_a_pass_begins() -> None:
    """A loader with workers takes batches ahead, while the loop may speak of the next epoch already."""
    batches = SeedingBatches(BatchSampler(range(4), 2, drop_last=False))
    first = iter(batches)
    batches.epoch = 1
    assert next(first).key != next(iter(batches)).key


def test_numbers_are_those_of_splitmix64() -> None:
    """The first outputs for 1234567, as published with the reference code."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    for place, word in enumerate(published):
        seed_image(1234567, place)
        assert random.random() == random.Random(word).random()
        assert np.random.rand() == np.random.RandomState(word % 2**32).rand()
        generator = torch.Generator().manual_seed(word // 2**32)
        assert torch.equal(torch.rand(3), torch.rand(3, generator=generator))
