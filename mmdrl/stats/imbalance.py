"""How unequal class counts are: the ratio of their ends, the Gini coefficient, and a summary."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .groups import Edges, shot_groups


def imbalance_ratio(counts: ArrayLike) -> float:
    """Images of the largest class over those of the smallest, at least 1.

    Args:
        counts: Images per class, shape ``(K,)``.

    Raises:
        ValueError: If a class has no image, for then the ratio is not a number.
    """
    counts = _counts(counts)
    if (counts == 0).any():
        empty = np.flatnonzero(counts == 0)
        raise ValueError(
            f'The imbalance ratio needs an image of every class, but {empty.size} of {counts.size} classes have none '
            f'(class {empty[0]}).'
        )
    return float(counts.max() / counts.min())


def gini(counts: ArrayLike) -> float:
    r"""Gini coefficient of the class counts: 0 if all are equal, towards 1 the more a few classes hold.

    .. math:: G = \frac{\sum_{i,j} |n_i - n_j|}{2 K \sum_i n_i}
                = \frac{\sum_{i=1}^{K} (2i - K - 1)\, n_{(i)}}{K \sum_i n_i}

    with :math:`n_{(1)} \le \ldots \le n_{(K)}`; computed by the second form. It is at most ``1 - 1 / K``.

    Args:
        counts: Images per class, shape ``(K,)``; a class without an image counts.

    Raises:
        ValueError: If there is no class, no image, or a count below 0.

    Source: Gini, "Variabilità e mutabilità", 1912; used for long-tailed sets by Yang et al., "A Survey on Long-Tailed
    Visual Recognition", IJCV 2022.
    """
    ordered = np.sort(_counts(counts)).astype(np.float64)
    if ordered[-1] == 0:
        raise ValueError(f'The Gini coefficient needs an image at least, but all {ordered.size} classes are empty.')
    rank = np.arange(1, ordered.size + 1)
    return float(((2 * rank - ordered.size - 1) * ordered).sum() / (ordered.size * ordered.sum()))


def _counts(counts: ArrayLike) -> NDArray:
    """``counts`` as an array of shape (K,), K at least 1, none below 0."""
    counts = np.asarray(counts)
    if counts.ndim != 1 or counts.size == 0:
        raise ValueError(f'counts must have shape (K,) with K at least 1, got {counts.shape}.')
    if not (np.isfinite(counts) & (counts >= 0)).all():
        bad = int(np.argmin(np.isfinite(counts) & (counts >= 0)))
        raise ValueError(f'counts must be numbers of images, not negative, got {counts[bad]} for class {bad}.')
    return counts


def class_statistics(
    counts: ArrayLike, many: int = 100, few: int = 20, edges: Edges = 'exclusive'
) -> dict[str, int | float | None]:
    """Numbers that describe a long tail, in the order in which one reads them.

    Args:
        counts: Images per class, shape ``(K,)``.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images.
        edges: Whether a class exactly on an edge is medium, see :func:`shot_groups`.

    Returns:
        ``images``, ``classes``, ``empty_classes``; images per class as ``largest``, ``smallest``, ``mean`` and
        ``median``; ``imbalance_ratio`` (None if a class is empty) and ``gini``; ``many_classes``, ``many_images``
        and so on for each shot group.

    Raises:
        ValueError: If there is no class or no image, a count is below 0, or the edges are out of order.
    """
    counts = _counts(counts)
    groups = shot_groups(counts, many, few, edges)
    numbers: dict[str, int | float | None] = dict(
        images=int(counts.sum()),
        classes=counts.size,
        empty_classes=int((counts == 0).sum()),
        largest=int(counts.max()),
        smallest=int(counts.min()),
        mean=float(counts.mean()),
        median=float(np.median(counts)),
        imbalance_ratio=imbalance_ratio(counts) if counts.all() else None,
        gini=gini(counts),
    )
    for name, mask in groups.items():
        numbers[f'{name}_classes'] = int(mask.sum())
        numbers[f'{name}_images'] = int(counts[mask].sum())
    return numbers
