"""Class weights from class counts against plain Python, scikit-learn and hand-made numbers."""

import numpy as np
import pytest
import torch
from cases import saying
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import class_weights_loop
from sklearn.utils.class_weight import compute_class_weight

from mmdrl.functional import class_weights

KINDS = ('none', 'relative', 'balanced', 'effective')
every_kind = pytest.mark.parametrize('kind', KINDS)


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('none', [1, 1, 1]),
        ('relative', [1, 0.3, 0.1]),
        ('balanced', [14 / 30, 14 / 9, 14 / 3]),
        ('effective', [1 / (2 - 2**-9), 1 / 1.75, 1]),  # beta = 1/2: n_c terms of 1 + 1/2 + 1/4 + ...
    ],
)
def test_weights_of_ten_three_and_one_samples(kind, expected):
    weights = class_weights(torch.tensor([10, 3, 1]), kind, beta=0.5)
    assert weights.tolist() == pytest.approx(expected, rel=1e-6)


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 3000), min_size=1, max_size=12),
    kind=st.sampled_from(KINDS),
    beta=st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.999999]),
)
def test_weights_equal_the_loop(counts, kind, beta):
    weights = class_weights(torch.tensor(counts), kind, beta=beta)
    assert weights.dtype == torch.float32
    assert weights.tolist() == pytest.approx(class_weights_loop(counts, kind, beta), rel=2e-6)


def test_balanced_weights_are_those_of_scikit_learn(rng):
    counts = rng.integers(1, 500, size=20)
    labels = np.repeat(np.arange(20), counts)
    expected = compute_class_weight('balanced', classes=np.arange(20), y=labels)
    np.testing.assert_allclose(class_weights(torch.from_numpy(counts), 'balanced').numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize('beta', [0.0, 0.9, 0.9999, 1 - 1e-9])
def test_effective_weight_of_one_sample_is_one(beta):
    # In float32, 1 - 0.9999 has lost three digits already.
    assert class_weights(torch.tensor([1, 5]), 'effective', beta=beta)[0].item() == pytest.approx(1.0, rel=1e-6)


def test_effective_weight_goes_from_one_over_n_to_one_minus_beta():
    weights = class_weights(torch.tensor([2, 10**7]), 'effective', beta=0.9999)
    assert weights.tolist() == pytest.approx([1 / 1.9999, 1e-4], rel=1e-6)
    assert class_weights(torch.tensor([7, 50]), 'effective', beta=0.0).tolist() == [1.0, 1.0]


def test_default_beta_is_0_9999():
    counts = torch.tensor([900, 30])
    assert class_weights(counts, 'effective').tolist() == class_weights(counts, 'effective', beta=0.9999).tolist()


@every_kind
@pytest.mark.parametrize('dtype', [torch.int32, torch.int64, torch.float32, torch.float64])
def test_counts_of_any_type_give_float32_weights(kind, dtype):
    counts = torch.tensor([500, 60, 5])
    weights = class_weights(counts.to(dtype), kind)
    assert (weights.dtype, weights.shape) == (torch.float32, (3,))
    assert weights.tolist() == pytest.approx(class_weights_loop([500, 60, 5], kind), rel=2e-6)


@every_kind
def test_counts_are_left_as_they_were(kind):
    counts = torch.tensor([500, 60, 5])
    class_weights(counts, kind)
    assert counts.tolist() == [500, 60, 5]


@pytest.mark.parametrize('kind', KINDS[1:])
@pytest.mark.parametrize(('counts', 'worst'), [([5, 0, 3], 0), ([0, 0], 0), ([4, -2], -2)])
def test_class_without_samples_is_refused(kind, counts, worst):
    with pytest.raises(ValueError, match=saying('class', 'count', rf'{worst}\b')):
        class_weights(torch.tensor(counts), kind)


@pytest.mark.parametrize('kind', ['inverse', '', 'Balanced', None])
def test_unknown_kind_is_named_with_the_known_ones(kind):
    with pytest.raises(ValueError, match=saying(repr(kind), *KINDS)):
        class_weights(torch.tensor([5, 3]), kind)


@pytest.mark.parametrize('beta', [1.0, 1.5, -0.1, float('nan'), float('inf')])
def test_beta_outside_of_zero_to_one_is_named(beta):
    with pytest.raises(ValueError, match=saying('beta', str(beta).replace('.', r'\.'))):
        class_weights(torch.tensor([5, 3]), 'effective', beta=beta)
