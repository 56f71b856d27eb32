r"""Rules of prediction that are linear in the features, as weight and bias of a linear layer.

A linear classifier can be rebalanced after training, and nearest-class-mean can take its place, without another
kind of layer: the class with the largest :math:`w_c \cdot z + b_c` is the answer of each rule.
"""

from typing import Literal, overload

import torch
from torch import Tensor

from .checks import check_choice, check_number
from .distance import at_least_float32, directions


@overload
def tau_normalized(weight: Tensor, bias: Tensor, tau: float) -> tuple[Tensor, Tensor]: ...
@overload
def tau_normalized(weight: Tensor, bias: None, tau: float) -> tuple[Tensor, None]: ...


def tau_normalized(weight: Tensor, bias: Tensor | None, tau: float) -> tuple[Tensor, Tensor | None]:
    r"""Weight and bias of a linear classifier whose rows have been brought to more similar lengths.

    .. math:: \tilde w_c = w_c / |w_c|^\tau, \qquad \tilde b_c = b_c / |w_c|^\tau

    Each logit is divided as a whole, so that :math:`\tau = 0` is the classifier itself. The paper writes the rule
    without a bias, and its released code drops the one that was trained: pass a bias of zeros for that.

    Args:
        weight: Shape ``(K, D)``. A row of zeros has no length to divide by and stays, with its bias.
        bias: Shape ``(K,)``, or ``None`` for a classifier without.
        tau: :math:`\tau`, at least 0. At 1 all rows have length 1.

    Returns:
        Weight, shape ``(K, D)``, and bias, shape ``(K,)`` or ``None``, each of the type it came in, with gradient.

    Raises:
        ValueError: If shapes disagree, or tau is negative or not finite.

    Source: Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020.
    """
    check_number('tau', tau, is_zero_allowed=True)
    if weight.ndim != 2 or (bias is not None and bias.shape != weight.shape[:1]):
        raise ValueError(
            f'Expected weight (K, D) and bias (K,), got {tuple(weight.shape)} and '
            f'{None if bias is None else tuple(bias.shape)}.'
        )
    length = torch.linalg.vector_norm(at_least_float32(weight), dim=1)
    divisor = torch.where(length > 0, length, 1) ** tau
    scaled_weight = (weight / divisor[:, None]).to(weight.dtype)
    return scaled_weight, None if bias is None else (bias / divisor).to(bias.dtype)


def ncm_as_linear(centroids: Tensor, metric: Literal['euclidean', 'cosine'] = 'euclidean') -> tuple[Tensor, Tensor]:
    r"""Weight and bias whose largest logit belongs to the nearest centroid.

    .. math::
        \arg\min_c |z - \mu_c|^2 = \arg\max_c \mu_c \cdot z - |\mu_c|^2 / 2
        = \arg\max_c (\mu_c - m) \cdot z - (|\mu_c|^2 - |m|^2) / 2

    For ``'cosine'`` the weight is :math:`\mu_c / |\mu_c|` and the bias 0. The vector m, the same for all classes, is
    the mean of the centroids: it takes nothing from the comparison and keeps digits that a long common part would
    cost.

    Args:
        centroids: Shape ``(K, D)``, K at least 1, all of them real candidates: leave out the rows of classes that
            have no centroid. For ``'cosine'``, one of zeros has no direction, and its logit is 0.
        metric: Euclidean distance, or cosine of the angle.

    Returns:
        Weight, shape ``(K, D)``, and bias, shape ``(K,)``, of the type of the centroids, at least float32.

    Raises:
        ValueError: If the shape does not fit, there is no centroid, or the metric is unknown.
    """
    check_choice('metric', metric, ('euclidean', 'cosine'))
    if centroids.ndim != 2 or len(centroids) == 0:
        raise ValueError(f'Expected centroids (K, D) of at least one class, got {tuple(centroids.shape)}.')
    rows = at_least_float32(centroids)
    if metric == 'cosine':
        return directions(rows).to(rows.dtype), rows.new_zeros(len(rows))
    exact = rows.double()
    middle = exact.mean(dim=0)
    weight = exact - middle
    bias = (weight * (exact + middle)).sum(dim=1) / -2
    return weight.to(rows.dtype), bias.to(rows.dtype)
