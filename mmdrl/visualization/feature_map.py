"""A plane through feature space: samples, class centroids, and the ball of each class.

The plane is spanned by the first two principal components. That is an orthogonal projection, so
distances can only shrink and a ball of radius r becomes exactly a disc of radius r: the circles are
true to scale, while samples outside a disc are surely outside the ball.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray

from mmdrl.datasets.labels import check_labels
from mmdrl.errors import DataError

COLOURS = colormaps['tab10'].colors
MARKERS = ('o', '^', 's', 'v', 'D', 'P', 'X', '<', '>', '*', 'p')


def feature_map_figure(
    features: ArrayLike,
    labels: ArrayLike,
    centroids: ArrayLike,
    radius: ArrayLike,
    class_names: Sequence[str] | None = None,
    class_counts: ArrayLike | None = None,
) -> Figure:
    """Figure of features and class balls on their first two principal components.

    Args:
        features: Shape ``(N, D)``, N and D at least 2.
        labels: Shape ``(N,)``, in ``[0, K)``.
        centroids: Shape ``(K, D)``, in the unit of the features.
        radius: Shape ``(K,)``, in the unit of the features, or one number for all.
        class_names: K names. None: the labels.
        class_counts: Training images per class, shape ``(K,)``, written beside the names; the centroid
            of a class with 0 of them is left out.

    Returns:
        The figure; one collection of points and one circle per class.

    Raises:
        DataError: If shapes do not fit together or a label has no centroid.
    """
    from sklearn.decomposition import PCA  # costs a second, and only this figure needs it

    features, labels, centroids = (
        np.asarray(features, float),
        np.asarray(labels),
        np.asarray(centroids, float),
    )
    if features.ndim != 2 or min(features.shape) < 2 or labels.shape != features.shape[:1]:
        raise DataError(
            'features must have shape (N, D), N and D at least 2, and labels (N,), '
            f'got {features.shape} and {labels.shape}.'
        )
    if centroids.ndim != 2 or centroids.shape[1] != features.shape[1]:
        raise DataError(f'centroids must have shape (K, {features.shape[1]}), got {centroids.shape}.')
    num_classes = len(centroids)
    check_labels(labels, num_classes)
    names = _per_class(class_names or range(num_classes), num_classes, 'class_names')
    radius = _per_class(
        np.full(num_classes, radius) if np.ndim(radius) == 0 else radius, num_classes, 'radius'
    )
    is_known = np.ones(num_classes, dtype=bool)
    if class_counts is not None:
        counts = _per_class(class_counts, num_classes, 'class_counts')
        is_known = counts > 0
        names = np.array([f'{name} (n={count})' for name, count in zip(names, counts, strict=True)])

    pca = PCA(n_components=2, svd_solver='full').fit(features)
    points, balls = pca.transform(features), pca.transform(centroids)

    figure = Figure(figsize=(7.5, 7.5), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    angles = _spoke_angles(balls)
    for label in range(num_classes):
        marker, colour = MARKERS[label % len(MARKERS)], COLOURS[label % len(COLOURS)]
        axes.scatter(*points[labels == label].T, s=14, marker=marker, color=colour, linewidths=0, alpha=0.5)
        if is_known[label]:
            axes.scatter(*balls[label], s=90, marker=marker, color=colour, edgecolors='black', zorder=4)
            _draw_ball(axes, balls[label], float(radius[label]), angles[label], str(names[label]), colour)
    axes.set_aspect('equal', adjustable='datalim')
    for component, (set_label, share) in enumerate(
        zip((axes.set_xlabel, axes.set_ylabel), pca.explained_variance_ratio_, strict=True), start=1
    ):
        set_label(f'principal component {component} (feature units, {share:.0%} of the variance)')
    axes.set_title(
        'Samples (small), centroids (large) and class balls (circles, named at the end of the spoke)',
        fontsize=10,
    )
    return figure


def _spoke_angles(balls: NDArray[np.float64]) -> NDArray[np.float64]:
    """An angle for each ball, (K,): roughly outwards, and evenly spread so that no two are alike."""
    outwards = balls - balls.mean(axis=0)
    rank = np.arctan2(outwards[:, 1], outwards[:, 0]).argsort().argsort()
    return 2 * np.pi * (rank + 0.5) / len(balls) - np.pi


def _draw_ball(
    axes: Axes, centre: NDArray[np.float64], radius: float, angle: float, name: str, colour: tuple[float, ...]
) -> None:
    """A circle, and a spoke from its centre to its name: without colour it still shows whose circle it is."""
    direction = np.array([np.cos(angle), np.sin(angle)])
    end = centre + radius * direction
    axes.add_patch(Circle(centre, radius, fill=False, color=colour, linewidth=1.4, zorder=3))
    axes.plot(*zip(centre, end, strict=True), color=colour, linewidth=1, linestyle=':', zorder=3)
    text = axes.annotate(
        name, end, 9 * direction, textcoords='offset points', ha='center', va='center', fontsize=9, zorder=5
    )
    text.set_path_effects([patheffects.withStroke(linewidth=3, foreground='white')])


def _per_class(values: ArrayLike, num_classes: int, name: str) -> NDArray:
    """``values`` as an array of shape (K,)."""
    values = np.asarray(values)
    if values.shape != (num_classes,):
        raise DataError(
            f'{name} must have one value for each of {num_classes} centroids, got shape {values.shape}.'
        )
    return values
