"""Weights of the classes, from how many training images each has."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from .checks import check_choice, check_counts

ClassWeight = Literal['none', 'relative', 'balanced', 'effective']


def class_weights(counts: Tensor, kind: ClassWeight, beta: float = 0.9999) -> Tensor:
    r"""Weight of every class, not normalised: the losses divide by the weights in use.

    ========= ================================================ =======================================
    kind      weight of a class of :math:`n_c` images          source
    ========= ================================================ =======================================
    none      1
    relative  :math:`n_c / \max_k n_k`                         the authors' released code
    balanced  :math:`\sum_k n_k / (K n_c)`                     scikit-learn's ``class_weight='balanced'``
    effective :math:`(1 - \beta) / (1 - \beta^{n_c})`          Cui et al., CVPR 2019, equation 5
    ========= ================================================ =======================================

    Args:
        counts: Training images per class, shape ``(K,)``, each at least 1.
        kind: Which of the four. ``relative`` favours head classes, the last two favour the tail.
        beta: :math:`\beta` of ``effective``, in ``[0, 1)``: 0 weighs all alike, towards 1 it becomes ``balanced``.

    Returns:
        Weights, shape ``(K,)``, float32, above 0.

    Raises:
        ValueError: If a choice is out of range, or (checked on the CPU) a class has no image.
    """
    check_choice('class_weight', kind, get_args(ClassWeight))
    if not 0 <= beta < 1:
        raise ValueError(f'beta of the effective number must lie in [0, 1), got {beta}.')
    check_counts(counts)
    images = counts.double()
    if kind == 'none':
        weights = torch.ones_like(images)
    elif kind == 'relative':
        weights = images / images.max()
    elif kind == 'balanced':
        weights = images.mean() / images
    else:  # expm1, or 1 - beta^n would lose its digits for beta near 1
        weights = (1 - beta) / -torch.expm1(images * math.log(beta)) if beta > 0 else torch.ones_like(images)
    return weights.float()
