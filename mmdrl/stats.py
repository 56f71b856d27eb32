"""What a long-tailed set looks like in numbers: class counts by profile, and shot groups.

NumPy only. Counts are images per class in label order; the imbalance ratio is the largest class over
the smallest, at least 1.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Profile = Literal['exp', 'step', 'pareto']
Edges = Literal['exclusive', 'inclusive']

SHOT_GROUPS = ('many', 'medium', 'few')


def long_tail_counts(
    num_classes: int, max_count: int, imbalance_ratio: float, profile: Profile = 'exp'
) -> NDArray[np.int64]:
    r"""Images per class of a long-tailed set, largest class first, truncated to whole images.

    With :math:`\rho` the imbalance ratio and :math:`c = 0 \ldots K-1`:

    - ``'exp'``: :math:`n_c = n_{max}\, \rho^{-c/(K-1)}`, the rule of CIFAR-LT;
    - ``'step'``: :math:`n_c = n_{max}` for the first half of the classes (the larger half where K is
      odd), :math:`n_{max} / \rho` for the rest;
    - ``'pareto'``: :math:`n_c = n_{max}\, (c+1)^{-a}` with :math:`a = \ln\rho / \ln K`.

    Args:
        num_classes: K, at least 1.
        max_count: Images of the largest class, at least 1.
        imbalance_ratio: :math:`\rho`, at least 1. Truncation can make the ratio of the counts larger.
        profile: The law by which the counts fall.

    Returns:
        Counts, shape ``(K,)``, never increasing.

    Raises:
        ValueError: If an argument is out of range, or a class would be left without an image.

    Source: exp and step as in Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware
    Margin Loss", NeurIPS 2019, and its code; pareto is the rank-size form of the power law.
    """
    if num_classes < 1:
        raise ValueError(f'num_classes must be at least 1, got {num_classes}.')
    if max_count < 1:
        raise ValueError(f'max_count must be at least 1, got {max_count}.')
    if not (np.isfinite(imbalance_ratio) and imbalance_ratio >= 1):
        raise ValueError(
            f'imbalance_ratio is largest class / smallest class and must be at least 1, got {imbalance_ratio}.'
        )
    rank = np.arange(num_classes)
    last = max(num_classes - 1, 1)
    if profile == 'exp':
        divisor = float(imbalance_ratio) ** (rank / last)
    elif profile == 'step':
        divisor = np.where(rank < (num_classes + 1) // 2, 1.0, imbalance_ratio)
    elif profile == 'pareto':
        divisor = float(imbalance_ratio) ** (np.log(rank + 1.0) / np.log(max(num_classes, 2)))
    else:
        raise ValueError(f"profile must be 'exp', 'step' or 'pareto', got {profile!r}.")
    # What is whole by the formula must not fall short by rounding: 3072 / 1024 ** 0.4 comes out just below 192.
    counts = (max_count / divisor * (1 + 1e-12)).astype(np.int64)
    if counts[-1] < 1:
        raise ValueError(
            f'The smallest class would have {max_count / imbalance_ratio:.2f} images: an imbalance_ratio of '
            f'{imbalance_ratio} needs a max_count of at least {int(np.ceil(imbalance_ratio))}, got {max_count}.'
        )
    return counts


def shot_groups(
    counts: ArrayLike, many: int = 100, few: int = 20, edges: Edges = 'exclusive'
) -> dict[str, NDArray[np.bool_]]:
    """Classes of the many-, medium- and few-shot group, by training images per class.

    Args:
        counts: Training images per class, shape ``(K,)``.
        many: Edge of the many-shot group, in images.
        few: Edge of the few-shot group, in images, not above ``many``.
        edges: ``'exclusive'``: many means more than ``many`` images, few means fewer than ``few``.
            ``'inclusive'``: a class exactly on an edge belongs to the outer group, as in OLTR and NCL;
            to the many-shot group if the two edges are one.

    Returns:
        Masks ``{'many': ..., 'medium': ..., 'few': ...}``, each of shape ``(K,)``; every class is in one.

    Raises:
        ValueError: If the edges are out of order or a count is negative.
    """
    counts = np.asarray(counts)
    if counts.ndim != 1:
        raise ValueError(f'counts must have shape (K,), got {counts.shape}.')
    if not (counts >= 0).all():
        bad = int(np.argmin(counts >= 0))
        raise ValueError(f'counts must be numbers of images, not negative, got {counts[bad]} for class {bad}.')
    if many < few:
        raise ValueError(f'many must not lie below few, got many={many} and few={few}.')
    if edges == 'exclusive':
        is_many, is_few = counts > many, counts < few
    elif edges == 'inclusive':
        is_many, is_few = counts >= many, counts <= few
        is_few &= ~is_many
    else:
        raise ValueError(f"edges must be 'exclusive' or 'inclusive', got {edges!r}.")
    return {'many': is_many, 'medium': ~(is_many | is_few), 'few': is_few}


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
