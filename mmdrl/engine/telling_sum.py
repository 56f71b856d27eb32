"""One number that tells whether tensors are finite, which stays on their device."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm


def telling_sum(value: Any, by_row: bool = False) -> Tensor | None:
    """A number that is finite if a tensor is, or all of several are; ``None`` if there are no real numbers.

    A sum tells, in one pass instead of three; finite numbers whose sum overflows are no images, losses or batch
    statistics. Of several on an accelerator, that of their sizes, which takes one call there for all of them; on the
    CPU sizes take some times as long as a sum of each.

    Args:
        value: A tensor, several, or anything else.
        by_row: Whether to sum each row of one tensor by itself.
    """
    tensors = [part for part in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(part, Tensor)]
    real = [part.detach() for part in tensors if part.is_floating_point()]
    if not real:
        return None
    if len(real) == 1:
        columns = tuple(range(1 if by_row else 0, real[0].ndim))
        kind = torch.float32 if real[0].element_size() < 4 else real[0].dtype
        return real[0].sum(columns, dtype=kind) if columns else real[0].to(kind)
    if all(part.device.type == 'cpu' for part in real):
        sums = [part.sum(dtype=torch.float32 if part.element_size() < 4 else part.dtype) for part in real]
        return torch.stack(sums).sum(dtype=torch.float64)
    # Of half precision the sizes are summed up one by one, where a cast would copy all of them.
    sizes = [
        torch.linalg.vector_norm(part, 1, dtype=torch.float32) if part.element_size() < 4 else part for part in real
    ]
    return get_total_norm(sizes, 1.0)


def read_sums(sums: list[Tensor], device: torch.device) -> list[float]:
    """Their values; an accelerator is waited for once, and on the CPU each costs less by itself than a stack."""
    if device.type == 'cpu' or not sums:
        return [each.item() for each in sums]
    return torch.cat([each.to(device)[None] for each in sums]).tolist()  # in the largest type that is among them
