"""Mean of every class, how far its samples lie from it, and in which directions."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from mmdrl.functional import check_labels

PART = 1 << 22  # numbers of a part of the features that is worked on at a time: 32 MiB in float64


class Moments(NamedTuple):
    """First and second moments of K classes, in float64.

    Attributes:
        means: Shape ``(K, D)``; nan for a class without samples.
        variances: Mean squared distance of the samples of a class from their mean, shape ``(K,)``; likewise.
        counts: Samples, shape ``(K,)``, long.
    """

    means: Tensor
    variances: Tensor
    counts: Tensor

    @property
    def spreads(self) -> Tensor:
        """Root mean squared distance from the class mean, shape ``(K,)``; nan for fewer than two samples."""
        return torch.where(self.counts > 1, self.variances.sqrt(), torch.nan)

    @property
    def is_seen(self) -> Tensor:
        """Whether a class has a sample, shape ``(K,)``."""
        return self.counts > 0


def parts(features: Tensor, *others: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Rows of features, ``(N, D)``, and of what else has N rows, some at a time."""
    size = max(1, PART // max(1, features.shape[1]))
    yield from zip(*(rows.split(size) for rows in (features, *others)), strict=True)


def class_moments(features: Tensor, labels: Tensor, num_classes: int) -> Moments:
    """Moments of every class, in two passes: sums of squares far from the origin would lose digits.

    Args:
        features: Shape ``(N, D)``.
        labels: Shape ``(N,)``, long, in ``[0, K)``.
        num_classes: K.

    Raises:
        ValueError: If shapes disagree, there is no sample, or a label lies outside.
    """
    if features.ndim != 2 or labels.shape != features.shape[:1] or len(labels) == 0:
        raise ValueError(f'Expected features (N, D) and labels (N,), got {features.shape} and {labels.shape}.')
    check_labels(labels, num_classes)
    counts = torch.bincount(labels, minlength=num_classes)
    sums = torch.zeros(num_classes, features.shape[1], dtype=torch.float64, device=features.device)
    for rows, classes in parts(features, labels):
        sums.index_add_(0, classes, rows.double())
    means = sums / counts[:, None]  # 0 / 0 is nan
    squares = torch.zeros(num_classes, dtype=torch.float64, device=features.device)
    for rows, classes in parts(features, labels):
        squares.index_add_(0, classes, (rows.double() - means[classes]).square_().sum(dim=1))
    return Moments(means, squares / counts, counts)


def within_scatter(features: Tensor, labels: Tensor, moments: Moments) -> Tensor:
    r"""Mean covariance of the classes, shape ``(D, D)``, float64.

    .. math:: \Sigma_W = \frac{1}{K} \sum_c \frac{1}{n_c} \sum_{i \in c} (z_i - \mu_c)(z_i - \mu_c)^T

    over the K classes that have samples. All of them count alike, as in the balanced sets for which it was defined;
    a mean over the samples of a long tail would be that of its head.

    Args:
        features: Shape ``(N, D)``.
        labels: Shape ``(N,)``, long.
        moments: Of these features.

    Source: Papyan, Han & Donoho, "Prevalence of neural collapse during the terminal phase of deep learning training",
    PNAS 2020.
    """
    size = features.shape[1]
    scatter = torch.zeros(size, size, dtype=torch.float64, device=features.device)
    weight = 1 / (moments.counts.double() * moments.is_seen.sum())
    for rows, classes in parts(features, labels):
        residuals = rows.double() - moments.means[classes]
        residuals *= weight[classes, None].sqrt()
        scatter.addmm_(residuals.T, residuals)
    return scatter
