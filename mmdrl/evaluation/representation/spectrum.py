"""How many dimensions features use."""

import torch
from torch import Tensor

from .moments import Moments


def effective_rank(singular_values: Tensor) -> float:
    r"""Effective rank: the number of equal singular values that have the same entropy.

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big), \qquad p_k = \sigma_k / \sum_j \sigma_j

    Args:
        singular_values: None negative.

    Returns:
        From 1 to their number; nan if all are 0.

    Raises:
        ValueError: If one is negative or not finite.

    Source: Roy & Vetterli, "The effective rank: A measure of effective dimensionality", EUSIPCO 2007.
    """
    values = singular_values.double()
    if not bool((values >= 0).all() and values.isfinite().all()):
        raise ValueError(f'Singular values must be finite and not negative, got {singular_values}.')
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


def effective_rank_of_features(within: Tensor, moments: Moments) -> float:
    """Effective rank of centred features whose rows are weighed so that all classes count alike.

    Those are the singular values of the matrix with rows :math:`(z_i - m) / sqrt(n_c)`, m the mean of the class means.
    With equally many samples of each class that is the rank of the centred features themselves.

    Args:
        within: Of :func:`mmdrl.evaluation.representation.within_scatter`.
        moments: Of the same features.
    """
    means = moments.means[moments.is_seen]
    centred = means - means.mean(dim=0)
    total = within + centred.T @ centred / len(means)
    return effective_rank(torch.linalg.eigvalsh(total).clamp_min(0).sqrt())
