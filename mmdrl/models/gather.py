"""The batch of all processes, with gradient.

torch's own ``torch.distributed.nn.functional.all_gather`` does the same but is deprecated since torch 2.15,
and what is to replace it is private.
"""

from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, get_rank
from torch import Tensor


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.share = len(rows)
        return torch.cat(all_gather(rows.contiguous()))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # Every process has a loss of the whole batch: its rows here collect the gradients of all of them.
        gradient = gradient.contiguous().clone()
        all_reduce(gradient)
        first = get_rank() * ctx.share
        return gradient[first : first + ctx.share]


def gather_rows(rows: Tensor) -> Tensor:
    """Rows of all processes, in the order of their ranks.

    Args:
        rows: Shape ``(B, ...)``, B the same on all processes.

    Returns:
        Shape ``(W * B, ...)`` for W processes. Its gradient is summed over the processes, as fits a wrapper (DDP)
        that averages the gradients of the parameters.
    """
    gathered: Tensor = _Gather.apply(rows)
    return gathered
