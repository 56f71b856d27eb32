"""Mean and variance of the classes in one batch, without a loop and without a row for every class there is."""

from contextlib import nullcontext

import torch
from torch import Tensor


@torch.no_grad()
def batch_moments(differences: Tensor, is_same_class: Tensor) -> tuple[Tensor, Tensor]:
    """Moments of the class of every sample, over the batch.

    One product of matrices of sizes ``(B, B)`` and ``(B, D)``: shapes are static, the number of classes does not
    matter, and processes with the same batch get the same result, which atomic sums on an accelerator do not promise.

    Args:
        differences: Samples less a reference point of their class, shape ``(B, D)``.
        is_same_class: Whether two samples are of one class, shape ``(B, B)``.

    Returns:
        Mean, shape ``(B, D)``, and mean squared distance from it, shape ``(B,)``, row b for the class of sample b.
        Equal labels have rows that are equal up to rounding.
    """
    share = is_same_class.to(differences.dtype)
    share = share / share.sum(dim=1, keepdim=True)
    with _full_precision(differences.device.type):
        mean = share @ differences
        variance = share @ (differences - mean).square().sum(dim=1)
    return mean, variance


def _full_precision(device_type: str) -> torch.autocast | nullcontext:
    """Autocast would make a product of float32 one of half precision."""
    available = torch.amp.autocast_mode.is_autocast_available(device_type)
    return torch.autocast(device_type, enabled=False) if available else nullcontext()
