"""Samplers that give classes shares of the epoch: the laws, and how exactly draws follow them."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sampler_cases import COUNTS, LONG_TAIL, Rows
from scipy.stats import chisquare

from mmdrl.datasets import EffectiveNumberSampler, PowerSampler, ProgressiveSampler
from mmdrl.datasets.samplers import allot_draws

LAWS = {
    'reversed': (dict(power=-1), lambda n: 1 / n),
    'balanced': (dict(power=0), lambda n: 1.0),
    'square root': (dict(power=0.5), lambda n: n**0.5),
    'instances': (dict(power=1), float),
    'squared': (dict(power=2), lambda n: n**2.0),
    'beta 0': (dict(beta=0), float),
    'beta 0.9': (dict(beta=0.9), lambda n: n * 0.1 / (1 - 0.9**n)),
    'beta near 1': (dict(beta=1 - 1e-12), lambda n: 1.0),
    'first epoch': (dict(num_epochs=5, epoch=0), lambda n: n / 58),
    'second epoch': (dict(num_epochs=5, epoch=1), lambda n: 0.75 * n / 58 + 0.25 / 4),
    'last epoch': (dict(num_epochs=5, epoch=4), lambda n: 0.25),
    'beyond': (dict(num_epochs=5, epoch=9), lambda n: 0.25),
    'second epoch of a stage': (dict(num_epochs=5, begin=3, epoch=4), lambda n: 0.75 * n / 58 + 0.25 / 4),
    'before the stage': (dict(num_epochs=5, begin=3, epoch=1), lambda n: n / 58),
    'only epoch': (dict(num_epochs=1, epoch=0), lambda n: n / 58),
    'after the only epoch': (dict(num_epochs=1, epoch=1), lambda n: 0.25),
}
every_law = pytest.mark.parametrize(('settings', 'share'), LAWS.values(), ids=LAWS)


def build(settings, **arguments):
    settings = dict(settings)
    epoch = settings.pop('epoch', 0)
    kind = {'power': PowerSampler, 'beta': EffectiveNumberSampler, 'num_epochs': ProgressiveSampler}[
        min(settings, key=lambda key: key == 'begin')
    ]
    sampler = kind(Rows(), **settings, **arguments)
    sampler.set_epoch(epoch)
    return sampler


def expected_draws(share, num_samples):
    shares = np.array([share(count) for count in COUNTS])
    return num_samples * shares / shares.sum()


@every_law
@pytest.mark.parametrize('num_samples', [7, 58, 1000])
def test_every_class_gets_its_expectation_rounded_down_or_up(settings, share, num_samples):
    expected = expected_draws(share, num_samples)
    for seed in range(20):
        order = list(build(settings, num_samples=num_samples, seed=seed))
        assert len(order) == num_samples
        draws = np.bincount(LONG_TAIL[order], minlength=4)
        assert (np.floor(expected - 1e-6) <= draws).all()
        assert (draws <= np.ceil(expected + 1e-6)).all()


@every_law
def test_mean_draws_are_within_three_sigma_of_the_law(settings, share):
    """Over 400 seeds; a class whose expectation has the fraction f is rounded up with variance f (1 - f)."""
    expected = expected_draws(share, 30)
    draws = [
        np.bincount(LONG_TAIL[build(settings, num_samples=30, seed=s).global_order()], minlength=4) for s in range(400)
    ]
    fraction = expected % 1
    sigma = np.sqrt(fraction * (1 - fraction) / 400)
    assert (np.abs(np.mean(draws, axis=0) - expected) <= 3 * sigma + 1e-6).all()


@every_law
def test_images_of_a_class_occur_equally_often_or_differ_by_one(settings, share):
    times = Counter(build(settings, num_samples=300, seed=0))
    for label in range(4):
        of_class = [times[position] for position in np.flatnonzero(label == LONG_TAIL).tolist()]
        assert max(of_class) - min(of_class) <= 1


@pytest.mark.parametrize('settings', [dict(power=1), dict(beta=0), dict(num_epochs=9)])
def test_instance_balance_is_a_plain_shuffle(settings):
    order = list(build(settings, seed=0))
    assert sorted(order) == list(range(58))
    assert order != sorted(order)


def test_every_place_of_the_order_shows_every_image_equally_often():
    labels = Rows([0, 0, 0, 1, 1, 2])
    orders = np.array([list(PowerSampler(labels, power=1, seed=seed)) for seed in range(1200)])
    for place in range(6):
        assert chisquare(np.bincount(orders[:, place], minlength=6)).pvalue > 0.0005


def test_images_that_occur_once_more_are_any_of_their_class():
    """Of the 40 images of class 0, 10 are drawn by each epoch of 40 class-balanced samples."""
    times = Counter()
    for seed in range(400):
        times.update(PowerSampler(Rows(), num_samples=40, seed=seed))
    assert chisquare([times[position] for position in np.flatnonzero(LONG_TAIL == 0).tolist()]).pvalue > 0.001


@pytest.mark.parametrize('power', [-400, 400])
def test_extreme_powers_neither_overflow_nor_lose_samples(power):
    with np.errstate(over='raise', invalid='raise'):
        drawn = LONG_TAIL[list(PowerSampler(Rows(), power=power, num_samples=50, seed=0))]
    assert set(drawn.tolist()) == {0 if power > 0 else 3}


def test_default_length_is_that_of_the_data_set():
    assert [len(build(case, seed=0)) for case in (dict(power=-1), dict(beta=0.99), dict(num_epochs=2))] == [58] * 3


@given(
    weights=st.lists(st.integers(0, 1000), min_size=1, max_size=30).filter(any),
    num_samples=st.integers(0, 10**7),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=200, deadline=None)
def test_allotment_is_exact_against_fractions(weights, num_samples, seed):
    draws = allot_draws(np.array(weights), num_samples, np.random.default_rng(seed))
    assert draws.sum() == num_samples
    for weight, drawn in zip(weights, draws.tolist(), strict=True):
        expected = Fraction(weight * num_samples, sum(weights))
        assert abs(drawn - expected) < 1 or drawn == expected
        if expected.denominator == 1:
            assert drawn == expected


class Extreme(np.random.Generator):
    """Draws the least or the largest number below 1."""

    def __init__(self, number):
        super().__init__(np.random.PCG64(0))
        self.number = number

    def random(self):
        return self.number


@pytest.mark.parametrize('number', [0.0, 1 - 2**-53])
def test_whole_expectations_are_met_whatever_is_drawn(number):
    """As floats some are just below the whole number: 49 * (1 / 49)."""
    for count in range(1, 400):
        draws = allot_draws(np.ones(count), 3 * count, Extreme(number))
        assert_array_equal(draws, np.full(count, 3))
        halves = allot_draws(np.ones(2 * count), count, Extreme(number))
        assert halves.sum() == count
        assert set(halves.tolist()) == {0, 1}


def test_allotment_does_not_couple_neighbours():
    """Four classes of half a draw: every pair of them comes up equally often, not every other class."""
    generator = np.random.default_rng(0)
    pairs = Counter(tuple(np.flatnonzero(allot_draws(np.ones(4), 2, generator)).tolist()) for _ in range(3000))
    assert len(pairs) == 6
    assert chisquare(list(pairs.values())).pvalue > 0.001


@pytest.mark.parametrize('shares', [[0, 0], [1, -1], [1, np.nan], [np.inf, 1]])
def test_allotment_refuses_what_are_no_shares(shares):
    with pytest.raises(ValueError, match='finite, at least 0 and not all 0'):
        allot_draws(np.array(shares), 5, np.random.default_rng(0))


def test_epochs_of_the_transition_move_draws_from_head_to_tail():
    sampler = ProgressiveSampler(Rows(), num_epochs=4, seed=0)
    draws = []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        draws.append(np.bincount(LONG_TAIL[list(sampler)], minlength=4))
    assert_array_equal(draws[0], COUNTS)
    head, tail = np.array(draws)[:, 0], np.array(draws)[:, 3]
    assert (np.diff(head[:4]) < 0).all()
    assert (np.diff(tail[:4]) > 0).all()
    assert np.ptp(draws[3:], axis=1).max() <= 1
