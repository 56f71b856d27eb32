"""Features as neighbourhoods: t-SNE shows which samples lie close to which, and nothing true to scale."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from mmdrl.errors import DataError
from mmdrl.stats import Edges

from .map_classes import map_classes
from .map_marks import draw_map, name_groups
from .style import new_figure


def feature_embedding_figure(
    features: ArrayLike,
    labels: ArrayLike,
    centroids: ArrayLike,
    class_names: Sequence[str] | None = None,
    class_counts: ArrayLike | None = None,
    *,
    perplexity: float = 30.0,
    max_samples: int = 2000,
    seed: int = 0,
    many: int = 100,
    few: int = 20,
    edges: Edges = 'exclusive',
) -> Figure:
    """Figure of features and class centroids in the plane that t-SNE finds for both together.

    Distances in it have no unit and differ from place to place, so that a ball has no outline there: none is drawn.

    Args:
        features: Shape ``(N, D)``, N and D at least 2.
        labels: Shape ``(N,)``, in ``[0, K)``.
        centroids: Shape ``(K, D)``, in the unit of the features.
        class_names: K names. None: the labels.
        class_counts: Training images per class, shape ``(K,)``, as in :func:`feature_map_figure`.
        perplexity: Of t-SNE: about how many neighbours a sample has; less where there are few samples.
        max_samples: More samples are thinned, evenly over the classes. 2,000 take some seconds.
        seed: Of the thinning and of t-SNE.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`.

    Returns:
        The figure; one collection of points per class and one for its centroid.

    Raises:
        DataError: If shapes do not fit together, a feature is not finite, or there are fewer than 4 samples.

    Source: van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 2008; scikit-learn's implementation.
    """
    from sklearn.manifold import TSNE

    groups = dict(many=many, few=few, edges=edges)
    classes = map_classes(features, labels, centroids, 0.0, class_names, class_counts, groups)
    kept = _thinned(classes.labels, max_samples, seed)
    classes = classes._replace(features=classes.features[kept], labels=classes.labels[kept])
    # The centroid of an empty class is 0 and would be a neighbour of nobody.
    rows = np.concatenate([classes.features, classes.centroids[classes.is_known]])
    if len(classes.features) < 4:
        raise DataError(f'features must be 4 samples at least for t-SNE, got {len(classes.features)}.')
    near = min(perplexity, (len(rows) - 1) / 3)
    plane = TSNE(n_components=2, perplexity=near, init='pca', random_state=seed).fit_transform(rows).astype(float)
    balls = np.zeros((len(classes.centroids), 2))
    balls[classes.is_known] = plane[len(kept) :]
    figure = new_figure(7.5, 7.5)
    axes = figure.add_subplot()
    draw_map(axes, classes, plane[: len(kept)], balls)
    axes.set(xticks=[], yticks=[], xlabel='t-SNE (no unit; only neighbourhoods mean something)')
    thinned = (
        f'{len(kept):,} of {len(np.asarray(labels)):,} images' if len(kept) < len(np.asarray(labels)) else 'images'
    )
    axes.set_title(
        f'Small: {thinned}; large: class centroids\nt-SNE keeps no distances, so balls have no outline', fontsize=10
    )
    name_groups(axes, classes)
    return figure


def _thinned(labels: NDArray[np.int64], limit: int, seed: int) -> NDArray[np.int64]:
    """Sorted positions of at most so many samples, about equally many of each class."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind='stable')]
    sizes = np.bincount(labels)
    turn = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)  # within its class
    return np.sort(by_class[np.argsort(turn, kind='stable')[:limit]])
