"""A training step that is taken back."""

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn


class KeptBuffers:
    """What a forward pass changes without an optimiser: batch statistics, centroids, and all other buffers.

    Args:
        model: Not wrapped.
    """

    def __init__(self, model: nn.Module):
        self._model = model
        self._buffers: list[Tensor] = []
        self._copies: list[Tensor] = []

    @torch.no_grad()
    def keep(self) -> None:
        """Copy all buffers; memory is taken once."""
        buffers = list(self._model.buffers())
        if len(buffers) != len(self._buffers) or any(a is not b for a, b in zip(buffers, self._buffers, strict=True)):
            self._buffers, self._copies = buffers, [torch.empty_like(buffer) for buffer in buffers]
        for copy, buffer in zip(self._copies, buffers, strict=True):
            copy.copy_(buffer)

    @torch.no_grad()
    def restore(self) -> None:
        """Put all of them back."""
        for copy, buffer in zip(self._copies, self._buffers, strict=True):
            buffer.copy_(copy)


def end_step_without(optim_wrapper: Any, had_backward: bool) -> bool:
    """Count a batch that is left out, and step by the gradients of those before it, if some wait for that.

    Args:
        optim_wrapper: MMEngine's, of one optimiser.
        had_backward: Whether its gradient is among those that wait; it cannot be taken out of them again.

    Returns:
        Whether no gradients wait any more.

    Raises:
        DivergenceError: If the gradients that waited are not finite either; they are gone then.
    """
    if not had_backward:
        optim_wrapper._inner_count += 1
        if not optim_wrapper.should_update():
            return False
        try:
            _step(optim_wrapper)
        finally:
            optim_wrapper.zero_grad()
        return True
    optim_wrapper.zero_grad()
    return True


def _step(optim_wrapper: Any) -> None:
    groups = optim_wrapper.optimizer.param_groups
    gradients = [parameter.grad for group in groups for parameter in group['params'] if parameter.grad is not None]
    if not gradients:
        return
    if get_world_size() > 1:
        for gradient in gradients:  # the last batch would have brought them together
            all_reduce(gradient, 'mean')
    optim_wrapper.step()
