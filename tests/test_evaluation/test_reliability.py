"""Calibration errors equal a loop over bins, Brier scores those of scikit-learn."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.metrics import brier_score_loss

from mmdrl.errors import DataError
from mmdrl.evaluation import brier_scores, calibration_errors, reliability_bins


def errors_by_loop(confidence, is_correct, num_bins) -> tuple[float, float]:
    """Bin by bin, as Guo et al. (2017) write it."""
    expected, largest = 0.0, 0.0
    for bin_ in range(num_bins):
        low, high = bin_ / num_bins, (bin_ + 1) / num_bins
        inside = [
            (sure, right)
            for sure, right in zip(confidence, is_correct, strict=True)
            if low < sure <= high or (bin_ == 0 and sure == 0)
        ]
        if inside:
            gap = abs(sum(right for _, right in inside) - sum(sure for sure, _ in inside)) / len(inside)
            expected += len(inside) / len(confidence) * gap
            largest = max(largest, gap)
    return 100 * expected, 100 * largest


@pytest.mark.parametrize('num_bins', [1, 4, 15])
@pytest.mark.parametrize('size', [1, 10, 300])
def test_errors_equal_a_loop_over_bins(rng, size, num_bins):
    confidence = rng.random(size)
    is_correct = rng.random(size) < confidence**2
    found = calibration_errors(reliability_bins(confidence, is_correct, num_bins))
    assert found == pytest.approx(errors_by_loop(confidence, is_correct, num_bins))


def test_worked_example():
    # Two bins: 0.25 and 0.5 are in the lower one, of which one is right; 0.75 and 1 in the upper one, both right.
    bins = reliability_bins([0.25, 0.5, 0.75, 1.0], [True, False, True, True], num_bins=2)
    assert_array_equal(bins.counts, [2, 2])
    assert_array_equal(bins.confidence, [0.375, 0.875])
    assert_array_equal(bins.accuracy, [0.5, 1.0])
    assert calibration_errors(bins) == (12.5, 12.5)


def test_confidence_on_an_edge_belongs_below_and_0_to_the_first_bin():
    confidence = [0.0, 0.25, 0.25 + 1e-9, 0.5, 1.0]
    assert_array_equal(reliability_bins(confidence, [True] * 5, num_bins=4).counts, [2, 2, 0, 1])


def test_every_edge_of_fifteen_bins_belongs_below():
    edges = np.arange(1, 16) / 15
    assert_array_equal(reliability_bins(edges, np.ones(15), 15).counts, np.ones(15))
    assert_array_equal(reliability_bins(np.nextafter(edges[:-1], 1), np.ones(14), 15).counts, [0] + [1] * 14)
    for kind in (np.float16, np.float32):  # 0.2 is more than 0.2 there
        assert_array_equal(reliability_bins(edges.astype(kind), np.ones(15), 15).counts, np.ones(15))


def test_confidence_that_equals_the_accuracy_has_no_error():
    bins = reliability_bins([0.75] * 4, [True, True, True, False])
    assert calibration_errors(bins) == (0, 0)


def test_sure_and_always_wrong_is_the_largest_error():
    assert calibration_errors(reliability_bins([1.0, 1.0], [False, False])) == (100, 100)


def test_bins_without_samples_are_nan_and_no_error():
    bins = reliability_bins([], [])
    assert bins.counts.sum() == 0
    assert np.isnan(bins.accuracy).all()
    assert all(math.isnan(value) for value in calibration_errors(bins))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (([0.5], [True, False]), r'shape \(N,\), got \(1,\) and \(2,\)'),
        (([0.5, 1.5], [True, True]), r'in \[0, 1\], got 1.5 at position 1'),
        (([math.nan], [True]), r'in \[0, 1\], got nan'),
        (([0.5], [True], 0), 'num_bins must be a whole number of at least 1, got 0'),
        (([0.5], [True], 2.5), 'num_bins must be a whole number of at least 1, got 2.5'),
    ],
)
def test_what_is_no_confidence_is_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        reliability_bins(*arguments)


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16])
def test_brier_scores_are_those_of_scikit_learn(generator, dtype):
    scores = torch.randn(20, 5, generator=generator, dtype=torch.float64).softmax(dim=1).to(dtype)
    labels = torch.arange(20) % 5
    found = brier_scores(scores, labels)
    exact = scores.double()
    rows = exact / exact.sum(dim=1, keepdim=True)
    for row, label, value in zip(rows.numpy(), labels.tolist(), found.tolist(), strict=True):
        expected = brier_score_loss([label], row[None], labels=range(5), scale_by_half=False)
        assert value == pytest.approx(expected, rel=2e-2 if dtype == torch.bfloat16 else 1e-5)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def test_brier_scores_lie_between_0_and_2():
    scores = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    kept = scores.clone()
    assert brier_scores(scores, torch.tensor([0, 0, 1])).tolist() == [0, 2, 0.5]
    assert torch.equal(scores, kept)  # the scores are those of the predictions


def test_brier_scores_read_nothing_from_the_device():
    assert brier_scores(torch.empty(3, 4, device='meta'), torch.empty(3, dtype=torch.long, device='meta')).shape == (3,)
