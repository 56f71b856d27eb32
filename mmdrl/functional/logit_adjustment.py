"""Logits moved by how common each class is.

Added in training, the prior makes the network learn logits that are right when every class is as common as any other
(the balanced error); subtracted from the logits of an ordinary network, it does the same after training.
"""

from torch import Tensor

from .checks import check_counts, check_logits
from .distance import at_least_float32


def log_prior(counts: Tensor) -> Tensor:
    r"""Logarithm of the share that each class has in the training set, :math:`\log(n_c / \sum_k n_k)`.

    Args:
        counts: Training images per class, shape ``(K,)``, each at least 1.

    Returns:
        Shape ``(K,)``, float32, at most 0.

    Raises:
        ValueError: If the shape is another, or (checked on the CPU) a class has no image.
    """
    check_counts(counts)
    images = counts.double()
    return (images / images.sum()).log().float()


def adjust_logits(logits: Tensor, counts: Tensor, tau: float = 1.0) -> Tensor:
    r"""Logits with the prior of each class added, :math:`f_c + \tau \log(n_c / \sum_k n_k)`.

    In training, cross-entropy of the adjusted logits is the logit-adjusted loss, with :math:`\tau = 1` the balanced
    softmax. To adjust after training, give a negative ``tau``.

    Args:
        logits: Shape ``(B, K)``, floating point; half precision is made float32.
        counts: Training images per class, shape ``(K,)``, each at least 1.
        tau: :math:`\tau`; 0 leaves the logits as they are.

    Returns:
        Shape ``(B, K)``.

    Raises:
        ValueError: If shapes do not fit, or (checked on the CPU) a class has no image.

    Source: Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, equations 9 (after training) and 10
    (the loss). Ren et al., "Balanced Meta-Softmax", NeurIPS 2020, section 3.1: counts in place of shares, which only
    moves all logits of a sample by the same amount.
    """
    prior = log_prior(counts)
    check_logits(logits, len(prior))
    logits = at_least_float32(logits)
    return logits + tau * prior.to(logits)
