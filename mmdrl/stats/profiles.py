"""Class counts that fall by a law, as long-tailed sets are cut."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Profile = Literal['exp', 'step', 'pareto']


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
