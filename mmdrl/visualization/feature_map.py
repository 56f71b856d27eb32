"""A plane through feature space: samples, class centroids, and the ball of each class.

The plane is spanned by the first two principal components. That is an orthogonal projection, so
distances can only shrink and a ball of radius r becomes exactly a disc of radius r: the circles are
true to scale, while samples outside a disc are surely outside the ball.
"""

from collections.abc import Sequence

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mmdrl.stats import Edges

from .map_classes import MapClasses, map_classes
from .map_marks import draw_map, name_groups
from .style import new_figure


def feature_map_figure(
    features: ArrayLike,
    labels: ArrayLike,
    centroids: ArrayLike,
    radius: ArrayLike,
    class_names: Sequence[str] | None = None,
    class_counts: ArrayLike | None = None,
    *,
    many: int = 100,
    few: int = 20,
    edges: Edges = 'exclusive',
) -> Figure:
    """Figure of features and class balls on their first two principal components.

    Args:
        features: Shape ``(N, D)``, N and D at least 2.
        labels: Shape ``(N,)``, in ``[0, K)``.
        centroids: Shape ``(K, D)``, in the unit of the features.
        radius: Shape ``(K,)``, in the unit of the features, or one number for all.
        class_names: K names. None: the labels.
        class_counts: Training images per class, shape ``(K,)``, written beside the names; the centroid
            of a class with 0 of them is left out. More than 20 classes are coloured by their shot group.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`.

    Returns:
        The figure; one collection of points and one circle per class.

    Raises:
        DataError: If shapes do not fit together, a label has no centroid or a feature is not finite.
    """
    from sklearn.decomposition import PCA  # costs a second, and only this figure needs it

    groups = dict(many=many, few=few, edges=edges)
    classes = map_classes(features, labels, centroids, radius, class_names, class_counts, groups)
    pca = PCA(n_components=2, svd_solver='full').fit(classes.features)
    figure = new_figure(7.5, 7.5)
    axes = figure.add_subplot()
    draw_map(axes, classes, pca.transform(classes.features), pca.transform(classes.centroids))
    axes.set_aspect('equal', adjustable='datalim')
    shares = pca.explained_variance_ratio_
    axes.set_xlabel(f'principal component 1 (feature units, {shares[0]:.0%} of the variance)')
    axes.set_ylabel(f'principal component 2 (feature units, {shares[1]:.0%} of the variance)')
    axes.set_title(f'{_sizes(classes)}\n{_balls(classes)}', fontsize=10)
    name_groups(axes, classes)
    return figure


def _sizes(classes: MapClasses) -> str:
    words = ' (n training images)' if classes.has_counts and classes.is_named else ''
    return f'Small: images; large: class centroids{words}'


def _balls(classes: MapClasses) -> str:
    if not classes.radius.any():
        return 'no circles: no DR loss of a radius above 0 acts in this space'
    if not classes.is_named:
        return 'circles: class balls'
    return 'circles: class balls, named at the end of a line from the centre'
