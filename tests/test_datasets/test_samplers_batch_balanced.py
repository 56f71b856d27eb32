"""BatchBalancedSampler: blocks of P different classes and S different images of each."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.runner import Runner
from sampler_cases import COUNTS, LONG_TAIL, Rows
from scipy.stats import chisquare

from mmdrl.datasets import BatchBalancedSampler
from mmdrl.datasets.samplers import class_passes_in_blocks, class_rounds, group_by_class


@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    classes_per_batch=st.integers(1, 6),
    samples_per_class=st.integers(1, 6),
    num_samples=st.integers(1, 250),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=200, deadline=None)
def test_blocks_obey_the_rules_checked_one_sample_at_a_time(
    counts, classes_per_batch, samples_per_class, num_samples, seed
):
    classes_per_batch = min(classes_per_batch, len(counts))
    labels = np.random.RandomState(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    sampler = BatchBalancedSampler(Rows(labels), classes_per_batch, samples_per_class, num_samples, seed)
    order = list(sampler)
    assert len(order) == num_samples
    assert sampler.block_size == classes_per_batch * samples_per_class
    for start in range(0, num_samples, sampler.block_size):
        block = order[start : start + sampler.block_size]
        visits = [block[at : at + samples_per_class] for at in range(0, len(block), samples_per_class)]
        visited = [{int(labels[position]) for position in visit} for visit in visits]
        assert all(len(its) == 1 for its in visited)
        assert len(set.union(*visited)) == len(visits)
        for visit, (label,) in zip(visits, visited, strict=True):
            # A class of enough images shows different ones. A visit to a smaller one may meet an image at the end
            # of a pass, in every whole pass, and at the start of one.
            count = counts[label]
            assert max(Counter(visit).values()) <= (1 if count >= samples_per_class else samples_per_class // count + 2)
    # Rounds: every class before one comes again. Passes: every image of a class before one comes again.
    rounds = labels[order][::samples_per_class].tolist()
    for start in range(0, len(rounds), len(counts)):
        assert len(set(rounds[start : start + len(counts)])) == len(rounds[start : start + len(counts)])
    for label, count in enumerate(counts):
        images = [position for position in order if labels[position] == label]
        for start in range(0, len(images), count):
            assert len(set(images[start : start + count])) == len(images[start : start + count])


def valid_pairs_of_passes(size: int, block: int) -> int:
    """How many pairs of orders keep blocks free of repetition, counted by trying all."""
    orders = list(permutations(range(size)))
    sequences = [first + second for first in orders for second in orders]
    return sum(
        all(len(set(s[at : at + block])) == len(s[at : at + block]) for at in range(0, 2 * size, block))
        for s in sequences
    )


@pytest.mark.parametrize(('size', 'block'), [(3, 2), (4, 3)])
def test_all_rounds_that_keep_classes_apart_are_equally_likely(size, block):
    generator = np.random.default_rng(0)
    seen = Counter(tuple(class_rounds(size, 2 * size, generator, block).tolist()) for _ in range(20_000))
    assert len(seen) == valid_pairs_of_passes(size, block)
    assert chisquare(list(seen.values())).pvalue > 0.001


@pytest.mark.parametrize(('size', 'block'), [(3, 2), (4, 3)])
def test_all_passes_that_keep_images_apart_are_equally_likely(size, block):
    """Twenty thousand classes of one size at once, each with two passes."""
    classes = group_by_class(np.repeat(np.arange(20_000), size))
    draws = np.full(20_000, 2 * size)
    drawn = class_passes_in_blocks(classes, draws, block, np.random.default_rng(0)).reshape(20_000, -1)
    seen = Counter(map(tuple, (drawn - np.arange(20_000)[:, None] * size).tolist()))
    assert len(seen) == valid_pairs_of_passes(size, block)
    assert chisquare(list(seen.values())).pvalue > 0.001


def test_classes_occur_equally_often_and_images_of_a_class_too():
    order = list(BatchBalancedSampler(Rows(), 3, 5, num_samples=40 * 4 * 5, seed=0))
    assert np.bincount(LONG_TAIL[order]).tolist() == [200] * 4
    times = Counter(order)
    for label, count in enumerate(COUNTS):
        of_class = {times[position] for position in np.flatnonzero(label == LONG_TAIL).tolist()}
        assert of_class <= {200 // count, -(-200 // count)}


def test_default_length_is_that_of_the_data_set_in_whole_blocks():
    assert len(BatchBalancedSampler(Rows(), 3, 2, seed=0)) == 60
    assert len(BatchBalancedSampler(Rows(), 1, 29, seed=0)) == 58


def test_batches_of_a_loader_are_the_blocks():
    loader = Runner.build_dataloader(
        dict(
            dataset=Rows(),
            sampler=dict(type='mmdrl.BatchBalancedSampler', classes_per_batch=3, samples_per_class=4),
            batch_size=12,
            collate_fn=dict(type='default_collate'),
        ),
        seed=2,
    )
    assert len(loader) == 5
    for batch in loader:
        assert sorted(Counter(LONG_TAIL[batch].tolist()).values()) == [4, 4, 4]
