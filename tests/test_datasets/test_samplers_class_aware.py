"""ClassAwareSampler: what its order holds to."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.runner import Runner
from sampler_cases import LONG_TAIL, Rows
from scipy.stats import chisquare

from mmdrl.datasets import ClassAwareSampler
from mmdrl.datasets.samplers import class_passes, class_rounds, group_by_class, order_by_rounds, passes


@pytest.fixture(params=[1, 7, passes.CHUNK], ids='chunk of {}'.format)
def chunk(request, monkeypatch):
    monkeypatch.setattr(passes, 'CHUNK', request.param)


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
    order = order_by_rounds(group_by_class(labels), samples_per_class, num_samples, np.random.default_rng(seed))
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


def test_batches_of_one_round_hold_every_class():
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
        assert sorted(LONG_TAIL[batch].tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_classes_come_in_every_order_equally_often():
    visits = class_rounds(3, 3 * 6000, np.random.default_rng(0)).reshape(-1, 3)
    orders = Counter(map(tuple, visits.tolist()))
    assert len(orders) == 6
    assert chisquare(list(orders.values())).pvalue > 0.001


@pytest.mark.usefixtures('chunk')
def test_each_pass_over_a_class_is_in_every_order_equally_often():
    """Passes of 3, 1 and 4 images; the last pass over the class of 4 is cut short after 2."""
    classes = group_by_class(np.array([2, 0, 0, 1, 2, 2, 0, 2]))
    drawn = class_passes(classes, np.array([3 * 2000, 5, 4 * 2000 + 2]), np.random.default_rng(0))
    assert len(drawn) == 14_007
    threes, ones, fours = np.split(drawn, [6000, 6005])
    assert ones.tolist() == [3] * 5
    for images, size, its in ((threes, 3, {1, 2, 6}), (fours[:-2], 4, {0, 4, 5, 7})):
        orders = Counter(map(tuple, images.reshape(-1, size).tolist()))
        assert all(set(order) == its for order in orders)
        assert len(orders) == {3: 6, 4: 24}[size]
        assert chisquare(list(orders.values())).pvalue > 0.001
    assert len({*fours[-2:].tolist()} & {0, 4, 5, 7}) == 2


@pytest.mark.usefixtures('chunk')
def test_successive_passes_are_independent():
    """Last of a pass and first of the next: nine pairs of three images, equally often."""
    pairs = Counter()
    drawn = class_passes(group_by_class(np.zeros(3, dtype=int)), np.array([3 * 4001]), np.random.default_rng(1))
    for last, first in zip(drawn[2:-1:3].tolist(), drawn[3::3].tolist(), strict=True):
        pairs[last, first] += 1
    assert len(pairs) == 9
    assert chisquare(list(pairs.values())).pvalue > 0.001
