"""How far a model's confidence is from its accuracy, and how far its probabilities are from the truth.

The confidence of a prediction is the largest probability. Predictions are put into bins of equal width by it; where
the model knows what it does not know, the accuracy in each bin is the mean confidence there.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from mmdrl.errors import DataError


class ReliabilityBins(NamedTuple):
    """What fell into each of M bins.

    Attributes:
        counts: Samples, shape ``(M,)``.
        confidence: Mean confidence, shape ``(M,)``, in [0, 1]; nan in a bin without samples.
        accuracy: Share of right predictions, shape ``(M,)``, in [0, 1]; nan in a bin without samples.
    """

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def reliability_bins(confidence: ArrayLike, is_correct: ArrayLike, num_bins: int = 15) -> ReliabilityBins:
    r"""Samples, mean confidence and accuracy of bins :math:`((m - 1) / M, m / M]`; 0 goes into the first.

    Args:
        confidence: Largest probability of each sample, shape ``(N,)``, in [0, 1].
        is_correct: Whether the prediction was right, shape ``(N,)``.
        num_bins: M.

    Raises:
        DataError: If the shapes differ, a confidence lies outside, or there is no bin.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2.
    """
    given = np.asarray(confidence)
    confidence = given.astype(np.float64)
    is_correct = np.asarray(is_correct, dtype=bool)
    if confidence.ndim != 1 or confidence.shape != is_correct.shape:
        raise DataError(
            f'confidence and is_correct must both have shape (N,), got {confidence.shape} and {is_correct.shape}.'
        )
    if not isinstance(num_bins, (int, np.integer)) or isinstance(num_bins, bool) or num_bins < 1:
        raise DataError(f'num_bins must be a whole number of at least 1, got {num_bins!r}.')
    is_outside = ~((confidence >= 0) & (confidence <= 1))  # nan is neither
    if is_outside.any():
        first = int(is_outside.argmax())
        raise DataError(f'confidence must lie in [0, 1], got {confidence[first]} at position {first}.')
    edges = np.arange(1, num_bins) / num_bins
    if given.dtype.kind == 'f':  # 0.2 in single precision is more than 0.2, and on the edge all the same
        edges = edges.astype(given.dtype).astype(np.float64)
    index = np.searchsorted(edges, confidence, side='left')  # one on an edge belongs below
    counts = np.bincount(index, minlength=num_bins)
    with np.errstate(invalid='ignore'):
        means = np.bincount(index, confidence, num_bins) / counts
        shares = np.bincount(index, is_correct, num_bins) / counts
    return ReliabilityBins(counts, means, shares)


def calibration_errors(bins: ReliabilityBins) -> tuple[float, float]:
    r"""Expected and maximum calibration error in percent, nan without samples.

    .. math:: ECE = \sum_m \frac{n_m}{N} |acc_m - conf_m|, \qquad MCE = \max_{m: n_m > 0} |acc_m - conf_m|

    Args:
        bins: Of :func:`reliability_bins`.

    Source: Naeini et al., AAAI 2015; Guo et al., ICML 2017, equations 3 and 5.
    """
    has_samples = bins.counts > 0
    if not has_samples.any():
        return float('nan'), float('nan')
    gaps = 100.0 * np.abs(bins.accuracy - bins.confidence)[has_samples]
    return float(np.average(gaps, weights=bins.counts[has_samples])), float(gaps.max())


def brier_scores(probabilities: Tensor, labels: Tensor) -> Tensor:
    r"""Squared distance of each sample's probabilities from the truth, shape ``(B,)``, in [0, 2].

    .. math:: \sum_k (p_k - [k = y])^2

    Args:
        probabilities: Shape ``(B, K)``; half precision is computed in float32. Nothing is read from an accelerator.
        labels: True labels, shape ``(B,)``, in ``[0, K)``.

    Source: Brier, Monthly Weather Review 78, 1950, equation 2. For two classes it is twice the score of one class.
    """
    errors = probabilities.to(torch.promote_types(probabilities.dtype, torch.float32), copy=True)
    errors.scatter_add_(1, labels[:, None], errors.new_full((len(labels), 1), -1.0))
    return errors.square().sum(dim=1)
