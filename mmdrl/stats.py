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
    # Dividing once keeps exact quotients whole: 49 * (1 / 49) is just below 1.
    if profile == 'exp':
        divisor = float(imbalance_ratio) ** (rank / last)
    elif profile == 'step':
        divisor = np.where(rank < (num_classes + 1) // 2, 1.0, imbalance_ratio)
    elif profile == 'pareto':
        divisor = float(imbalance_ratio) ** (np.log(rank + 1.0) / np.log(max(num_classes, 2)))
    else:
        raise ValueError(f"profile must be 'exp', 'step' or 'pareto', got {profile!r}.")
    counts = (max_count / divisor).astype(np.int64)
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
