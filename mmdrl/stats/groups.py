"""Many-, medium- and few-shot classes."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Edges = Literal['exclusive', 'inclusive']

SHOT_GROUPS = ('many', 'medium', 'few')


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
    if not many >= few:  # as nan is not, either
        raise ValueError(f'many must not lie below few, got many={many} and few={few}.')
    if edges == 'exclusive':
        is_many, is_few = counts > many, counts < few
    elif edges == 'inclusive':
        is_many, is_few = counts >= many, counts <= few
        is_few &= ~is_many
    else:
        raise ValueError(f"edges must be 'exclusive' or 'inclusive', got {edges!r}.")
    return {'many': is_many, 'medium': ~(is_many | is_few), 'few': is_few}
