"""Class centroids and the nearest-class-mean rule."""

from typing import Literal

import torch
from torch import Tensor

from .checks import check_labels, check_pairs, is_static
from .distance import at_least_float32, pairwise_distance


def class_centroids(features: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Mean feature and number of samples of every class.

    Args:
        features: Shape ``(N, D)``. Half precision is summed in float32.
        labels: Class of each sample, shape ``(N,)``, long, in ``[0, K)``.
        num_classes: K.

    Returns:
        Means, shape ``(K, D)``, with the gradient of the features, and counts, shape ``(K,)``, long. An absent
        class has count 0 and a row of 0.

    Raises:
        ValueError: If shapes disagree, or (checked on the CPU) a label lies outside ``[0, K)``.
    """
    check_pairs(features, labels, 'N')
    if num_classes < 1:
        raise ValueError(f'num_classes must be at least 1, got {num_classes}.')
    if not is_static(labels):
        check_labels(labels, num_classes)
    features = at_least_float32(features)
    counts = torch.zeros(num_classes, dtype=torch.long, device=labels.device)
    counts.index_add_(0, labels, torch.ones_like(labels))
    sums = features.new_zeros(num_classes, features.shape[1]).index_add(0, labels, features)
    return sums / counts.clamp_min(1)[:, None], counts


def nearest_centroid(
    features: Tensor, centroids: Tensor, metric: Literal['euclidean', 'cosine'] = 'euclidean'
) -> Tensor:
    """Row of the nearest centroid for every feature: the nearest-class-mean (NCM) classifier.

    Args:
        features: Shape ``(B, D)``. Half precision is compared in float32.
        centroids: Shape ``(K, D)``, K at least 1, all of them real candidates: leave out the rows of classes
            that have no centroid.
        metric: Euclidean distance, or cosine of the angle, which ignores lengths.

    Returns:
        Class of each feature, shape ``(B,)``, long. The lower class wins a tie.

    Raises:
        ValueError: If the widths differ, there is no centroid, or the metric is unknown.
    """
    if features.ndim != 2 or centroids.ndim != 2 or features.shape[1] != centroids.shape[1]:
        raise ValueError(
            f'Expected features (B, D) and centroids (K, D) of one width D, got {tuple(features.shape)} '
            f'and {tuple(centroids.shape)}.'
        )
    if len(centroids) == 0:
        raise ValueError('Expected at least one centroid, got none: the nearest of none is undefined.')
    if metric not in ('euclidean', 'cosine'):
        raise ValueError(f"metric must be 'euclidean' or 'cosine', got {metric!r}.")
    # The largest cosine is the shortest chord, which tells small angles apart where a product cannot.
    distance: Literal['euclidean', 'chord'] = 'chord' if metric == 'cosine' else 'euclidean'
    return pairwise_distance(at_least_float32(features), at_least_float32(centroids), distance).argmin(dim=1)
