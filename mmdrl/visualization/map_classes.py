"""The classes of a map of features: checked arrays, and how each class is shown."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdrl.datasets.labels import check_labels
from mmdrl.errors import DataError
from mmdrl.stats import shot_groups

from .style import GROUP_STYLES, MAX_TICK_LABELS, plain_text

HUES = ('blue', 'orange', 'green', 'red', 'purple', 'brown', 'pink', 'gray', 'olive', 'cyan')
MARKERS = ('o', '^', 's', 'v', 'D', 'P', 'X', '<', '>', '*', 'p')
MAX_CLASS_COLOURS = 20


class MapClasses(NamedTuple):
    """Features, checked, and how each class is shown.

    Attributes:
        features: Shape ``(N, D)``.
        labels: Shape ``(N,)``.
        centroids: Shape ``(K, D)``.
        radius: Shape ``(K,)``.
        is_known: Whether a class has a centroid, shape ``(K,)``.
        names: K of them, with the training images.
        colours: K of them.
        markers: K of them.
        groups: Name of each class's shot group if it gives the colour; otherwise empty.
        has_counts: Whether names tell training images.
    """

    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    centroids: NDArray[np.float64]
    radius: NDArray[np.float64]
    is_known: NDArray[np.bool_]
    names: list[str]
    colours: list[str]
    markers: list[str]
    groups: list[str]
    has_counts: bool

    @property
    def is_named(self) -> bool:
        """Whether there is room for the names."""
        return len(self.names) <= MAX_TICK_LABELS


def map_classes(
    features: ArrayLike,
    labels: ArrayLike,
    centroids: ArrayLike,
    radius: ArrayLike,
    class_names: Sequence[str] | None,
    class_counts: ArrayLike | None,
    group_settings: dict[str, Any],
) -> MapClasses:
    """Arguments of a map, as arrays that fit together.

    Raises:
        DataError: If they do not.
    """
    features, labels, centroids = (np.asarray(features, float), np.asarray(labels), np.asarray(centroids, float))
    if features.ndim != 2 or min(features.shape) < 2 or labels.shape != features.shape[:1]:
        raise DataError(
            'features must have shape (N, D), N and D at least 2, and labels (N,), '
            f'got {features.shape} and {labels.shape}.'
        )
    if centroids.ndim != 2 or centroids.shape[1] != features.shape[1]:
        raise DataError(f'centroids must have shape (K, {features.shape[1]}), got {centroids.shape}.')
    if not np.isfinite(features).all():
        raise DataError('features must be finite to find a plane through them, but some are nan or inf.')
    total = len(centroids)
    check_labels(labels, total)
    names = [plain_text(name, 18) for name in _per_class(class_names or range(total), total, 'class_names')]
    sizes = _per_class(np.full(total, radius) if np.ndim(radius) == 0 else radius, total, 'radius')
    is_known: NDArray[np.bool_] = np.isfinite(centroids).all(axis=1)
    groups: list[str] = []
    if class_counts is not None:
        counts = _per_class(class_counts, total, 'class_counts')
        is_known &= counts > 0
        names = [f'{name} (n={count})' for name, count in zip(names, counts, strict=True)]
        if total > MAX_CLASS_COLOURS:
            masks = shot_groups(counts, **group_settings)
            groups = [next(name for name, mask in masks.items() if mask[label]) for label in range(total)]
    colours = [GROUP_STYLES[g].colour for g in groups] or [f'tab:{HUES[k % len(HUES)]}' for k in range(total)]
    markers = [GROUP_STYLES[g].marker for g in groups] or [MARKERS[k % len(MARKERS)] for k in range(total)]
    return MapClasses(
        features,
        labels,
        centroids,
        sizes.astype(float),
        is_known,
        names,
        colours,
        markers,
        groups,
        class_counts is not None,
    )


def _per_class(values: ArrayLike, num_classes: int, name: str) -> NDArray:
    """``values`` as an array of shape (K,)."""
    values = np.asarray(values)
    if values.shape != (num_classes,):
        raise DataError(f'{name} must have one value for each of {num_classes} centroids, got shape {values.shape}.')
    return values
