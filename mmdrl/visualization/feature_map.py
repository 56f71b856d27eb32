"""A plane through feature space: samples, class centroids, and the ball of each class.

The plane is spanned by the first two principal components. That is an orthogonal projection, so
distances can only shrink and a ball of radius r becomes exactly a disc of radius r: the circles are
true to scale, while samples outside a disc are surely outside the ball.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray

from mmdrl.datasets.labels import check_labels
from mmdrl.errors import DataError

HUES = ('blue', 'orange', 'green', 'red', 'purple', 'brown', 'pink', 'gray', 'olive', 'cyan')
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
        DataError: If shapes do not fit together, a label has no centroid or a feature is not finite.
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
    if not np.isfinite(features).all():
        raise DataError('features must be finite to find their principal components, but some are nan or inf.')
    num_classes = len(centroids)
    check_labels(labels, num_classes)
    names = _per_class(class_names or range(num_classes), num_classes, 'class_names')
    radius = _per_class(np.full(num_classes, radius) if np.ndim(radius) == 0 else radius, num_classes, 'radius')
    is_known: NDArray[np.bool_] = np.ones(num_classes, dtype=bool)
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
        marker, colour = MARKERS[label % len(MARKERS)], f'tab:{HUES[label % len(HUES)]}'
        x, y = points[labels == label].T
        axes.scatter(x, y, s=14, marker=marker, color=colour, linewidths=0, alpha=0.5)
        if is_known[label]:
            x, y = balls[label]
            axes.scatter(x, y, s=90, marker=marker, color=colour, edgecolors='black', zorder=4)
            _draw_ball(axes, balls[label], float(radius[label]), angles[label], str(names[label]), colour)
    axes.set_aspect('equal', adjustable='datalim')
    shares = pca.explained_variance_ratio_
    axes.set_xlabel(f'principal component 1 (feature units, {shares[0]:.0%} of the variance)')
    axes.set_ylabel(f'principal component 2 (feature units, {shares[1]:.0%} of the variance)')
    circles = 'circles: class balls, named at the end of a line from the centre' if radius.any() else 'no class balls'
    axes.set_title(f'Small: images; large: class centroids (n training images)\n{circles}', fontsize=10)
    return figure


def _spoke_angles(balls: NDArray[np.float64]) -> NDArray[np.float64]:
    """An angle for each ball, (K,): roughly outwards, and evenly spread so that no two are alike."""
    outwards = balls - balls.mean(axis=0)
    rank = np.arctan2(outwards[:, 1], outwards[:, 0]).argsort().argsort()
    return 2 * np.pi * (rank + 0.5) / len(balls) - np.pi


def _draw_ball(axes: Axes, centre: NDArray[np.float64], radius: float, angle: float, name: str, colour: str) -> None:
    """A circle, and a spoke from its centre to its name: without colour it still shows whose circle it is."""
    x, y = centre
    across, up = np.cos(angle), np.sin(angle)
    end = (x + radius * across, y + radius * up)
    axes.add_patch(Circle((x, y), radius, fill=False, color=colour, linewidth=1.4, zorder=3))
    axes.plot([x, end[0]], [y, end[1]], color=colour, linewidth=1, linestyle=':', zorder=3)
    outside = (9 * across, 9 * up)  # points
    text = axes.annotate(name, end, outside, textcoords='offset points', ha='center', va='center', fontsize=9)
    text.set_zorder(5)
    text.set_path_effects([patheffects.withStroke(linewidth=3, foreground='white')])


def _per_class(values: ArrayLike, num_classes: int, name: str) -> NDArray:
    """``values`` as an array of shape (K,)."""
    values = np.asarray(values)
    if values.shape != (num_classes,):
        raise DataError(f'{name} must have one value for each of {num_classes} centroids, got shape {values.shape}.')
    return values
