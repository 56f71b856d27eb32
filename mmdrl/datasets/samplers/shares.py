"""How many of an epoch's draws each class gets, and the shuffled order of such an epoch."""

import numpy as np
from numpy.typing import NDArray

from .passes import ClassImages, class_passes


def allot_draws(shares: NDArray[np.float64], num_samples: int, generator: np.random.Generator) -> NDArray[np.int64]:
    r"""Whole numbers of draws that follow the shares as closely as whole numbers can.

    Class c expects :math:`e_c = S p_c / \sum_k p_k` draws of S. It gets :math:`e_c` rounded down or up at random:
    up with the probability that keeps the expectation, and so that all together are exactly S (systematic rounding
    of the classes in a random order). Where every expectation is a whole number nothing is left to chance.

    Args:
        shares: :math:`p_c`, shape ``(K,)``, finite and not negative; they need not sum up to 1.
        num_samples: S, at least 0.
        generator: Source of all randomness.

    Returns:
        Draws per class, shape ``(K,)``, that sum up to ``num_samples``.

    Raises:
        ValueError: If the shares are not finite, negative, or all 0.
    """
    shares = np.asarray(shares, dtype=np.float64)
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0):
        raise ValueError(f'Shares of the classes must be finite, at least 0 and not all 0, got {shares}.')
    expected = num_samples * (shares / shares.sum())
    draws = np.floor(expected + 1e-9).astype(np.int64)  # 3 may come as 2.9999999996
    left = num_samples - int(draws.sum())
    if left > 0:
        turn = generator.permutation(len(shares))
        reached = np.maximum(expected - draws, 0)[turn].cumsum()
        marks = np.floor(reached + generator.random()).astype(np.int64).clip(max=left)
        marks[-1] = left  # where rounding errors have added up to less, or more
        draws[turn] += np.diff(marks, prepend=0)
    return draws


def order_by_shares(
    classes: ClassImages, shares: NDArray[np.float64], num_samples: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Positions of the samples of one epoch in which classes occur by their shares, shuffled.

    Draws are allotted by :func:`allot_draws`. Images of one class occur equally often, or differ by one.

    Args:
        classes: Images by class.
        shares: Share of each class, shape ``(K,)``; see :func:`allot_draws`.
        num_samples: Length of the epoch.
        generator: Source of all randomness.

    Returns:
        Positions in the data set, shape ``(num_samples,)``.
    """
    order = class_passes(classes, allot_draws(shares, num_samples, generator), generator)
    generator.shuffle(order)
    return order
