"""ClassAwareSampler: what its order holds to, alone and shared by processes."""

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.runner import Runner
from numpy.testing import assert_array_equal

from mmdrl.datasets import ClassAwareSampler
from mmdrl.datasets.samplers import class_aware, class_aware_order
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATA_SAMPLERS


class Rows:
    """A data set that knows its labels."""

    def __init__(self, labels):
        self.labels = np.asarray(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return int(self.labels[index])

    def get_gt_labels(self):
        return self.labels


LONG_TAIL = np.repeat([0, 1, 2, 3], [40, 12, 5, 1])[np.random.default_rng(0).permutation(58)]


@pytest.fixture
def processes(monkeypatch):
    """Build the sampler of each of W processes, as MMEngine would number them."""

    def build(world_size: int, **arguments) -> list[ClassAwareSampler]:
        samplers = []
        for rank in range(world_size):
            monkeypatch.setattr(class_aware, 'get_dist_info', lambda rank=rank: (rank, world_size))
            samplers.append(ClassAwareSampler(Rows(LONG_TAIL), **arguments))
        return samplers

    return build


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    samples_per_class=st.integers(1, 6),
    num_samples=st.integers(1, 150),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=100, deadline=None)
def test_order_obeys_the_rules_checked_one_sample_at_a_time(counts, samples_per_class, num_samples, seed):
    num_classes = len(counts)
    labels = np.random.RandomState(seed).permutation(np.repeat(np.arange(num_classes), counts))
    order = class_aware_order(labels, samples_per_class, num_samples, np.random.default_rng(seed))
    assert order.shape == (num_samples,)
    drawn = labels[order].tolist()
    # A visit stays in one class, and every round of K visits meets every class once.
    visits = [drawn[start : start + samples_per_class] for start in range(0, num_samples, samples_per_class)]
    assert all(len(set(visit)) == 1 for visit in visits)
    rounds = [visits[start : start + num_classes] for start in range(0, len(visits), num_classes)]
    for visited in rounds:
        assert len({visit[0] for visit in visited}) == len(visited)
    # No image comes again before all images of its class have come.
    for label in range(num_classes):
        images = [position for position, its_label in zip(order.tolist(), drawn, strict=True) if its_label == label]
        for start in range(0, len(images), counts[label]):
            one_pass = images[start : start + counts[label]]
            assert len(set(one_pass)) == len(one_pass)


def test_default_epoch_draws_each_class_as_often_as_the_largest_has_images():
    sampler = ClassAwareSampler(Rows(LONG_TAIL), seed=0)
    assert len(sampler) == 40 * 4
    drawn = Counter(LONG_TAIL[list(sampler)].tolist())
    assert drawn == {0: 40, 1: 40, 2: 40, 3: 40}


def test_every_image_is_drawn_in_a_default_epoch_and_the_rare_ones_equally_often():
    times = Counter(ClassAwareSampler(Rows(LONG_TAIL), seed=0))
    assert set(times) == set(range(58))
    assert {times[position] for position in np.flatnonzero(LONG_TAIL == 0)} == {1}
    assert {times[position] for position in np.flatnonzero(LONG_TAIL == 2)} == {8}
    assert {times[position] for position in np.flatnonzero(LONG_TAIL == 3)} == {40}


def test_classes_come_in_every_order_equally_often():
    """Six orders of three classes: 3000 first rounds are within six standard deviations of 500 each."""
    labels = np.arange(3)
    orders = Counter(tuple(class_aware_order(labels, 1, 3, np.random.default_rng(seed))) for seed in range(3000))
    assert len(orders) == 6
    assert max(abs(times - 500) for times in orders.values()) < 6 * np.sqrt(3000 * 1 / 6 * 5 / 6)


def test_seed_and_epoch_decide_the_order():
    sampler = ClassAwareSampler(Rows(LONG_TAIL), seed=3)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    again = ClassAwareSampler(Rows(LONG_TAIL), seed=3)
    again.set_epoch(1)
    assert list(again) == second
    assert list(ClassAwareSampler(Rows(LONG_TAIL), seed=4)) != first


def test_next_seed_is_not_the_next_epoch():
    one, other = ClassAwareSampler(Rows(LONG_TAIL), seed=3), ClassAwareSampler(Rows(LONG_TAIL), seed=4)
    one.set_epoch(1)
    assert list(one) != list(other)


@pytest.mark.parametrize('world_size', [1, 2, 3, 8])
def test_processes_share_one_order_by_turns(processes, world_size):
    whole = list(processes(1, seed=5, num_samples=25)[0])
    parts = [list(sampler) for sampler in processes(world_size, seed=5, num_samples=25)]
    assert {len(part) for part in parts} == {-(-25 // world_size)}
    by_turns = [part[turn] for turn in range(len(parts[0])) for part in parts]
    assert by_turns[:25] == whole
    assert by_turns[25:] == whole[: len(by_turns) - 25]


def test_more_processes_than_samples_still_get_one_each(processes):
    parts = [list(sampler) for sampler in processes(5, seed=5, num_samples=2)]
    assert [len(part) for part in parts] == [1] * 5
    assert parts[0] == parts[2] == parts[4]


def test_loader_of_a_runner_builds_it_with_its_seed():
    loader = Runner.build_dataloader(
        dict(
            dataset=Rows(LONG_TAIL),
            sampler=dict(type='mmdrl.ClassAwareSampler', samples_per_class=2, num_samples=24),
            batch_size=8,
            collate_fn=dict(type='default_collate'),
        ),
        seed=11,
    )
    assert loader.sampler.seed == 11
    for batch in loader:
        assert sorted(batch.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_numbers_come_as_python_integers():
    assert {type(position) for position in ClassAwareSampler(Rows(LONG_TAIL), seed=0)} == {int}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(samples_per_class=0), 'samples_per_class must be at least 1, got 0'),
        (dict(num_samples=0), 'num_samples must be at least 1, or None for n_max \\* K, got 0'),
        (dict(seed=-1), 'seed must be at least 0, or None, got -1'),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        DATA_SAMPLERS.build(dict(type='mmdrl.ClassAwareSampler', dataset=Rows(LONG_TAIL), **arguments))


@pytest.mark.parametrize(
    ('labels', 'message'),
    [([0, 0, 2], 'Class 1 has no image'), ([], 'Class 0 has no image'), ([0, -1], 'got -1 at position 1')],
)
def test_labels_that_leave_a_class_empty_are_refused(labels, message):
    with pytest.raises(DataError, match=message):
        ClassAwareSampler(Rows(np.array(labels, dtype=int)))


def test_order_refuses_an_empty_class():
    with pytest.raises(ValueError, match='class 1 has none'):
        class_aware_order(np.array([0, 2]), 1, 3, np.random.default_rng(0))


WORKER = """
import json, sys
import numpy as np
import torch.distributed as dist
from mmdrl.datasets import ClassAwareSampler

class Rows(list):
    def get_gt_labels(self):
        return np.array(self)

rank, folder = int(sys.argv[1]), sys.argv[2]
dist.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
np.random.seed(rank)
sampler = ClassAwareSampler(Rows([0] * 7 + [1] * 3 + [2]), samples_per_class=2)
sampler.set_epoch(4)
with open(f'{folder}/{rank}.json', 'w') as file:
    json.dump([sampler.seed, list(sampler)], file)
dist.destroy_process_group()
"""


@pytest.mark.distributed
def test_two_real_processes_agree_on_an_unset_seed_and_split_the_order(tmp_path):
    workers = [subprocess.Popen([sys.executable, '-c', WORKER, str(rank), str(tmp_path)]) for rank in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    (seed, even), (other_seed, odd) = (json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(2))
    assert seed == other_seed
    alone = ClassAwareSampler(Rows([0] * 7 + [1] * 3 + [2]), samples_per_class=2, seed=seed)
    alone.set_epoch(4)
    by_turns = [position for pair in zip(even, odd, strict=True) for position in pair]
    assert_array_equal(by_turns[:21], list(alone))
    assert by_turns[21:] == by_turns[:1]
