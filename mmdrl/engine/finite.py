"""Whether weights are numbers that can be kept.

Features are looked at before each step; what the last step before a checkpoint has done to the weights no feature
has shown yet. So weights and buffers are looked at themselves, before a file is written.
"""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmdrl.errors import DivergenceError


@torch.no_grad()
def check_finite(model: nn.Module, state: Mapping[str, Any] | None = None, *, across_processes: bool = False) -> None:
    """Parameters must be finite, buffers must hold no nan; an infinite entry of a buffer may be a mask.

    Waits for the device once, however many tensors there are.

    Args:
        model: The model, not wrapped.
        state: A state dict of the same names to look at in place of the model's own, such as that of averaged
            weights.
        across_processes: Whether all processes call this, and all are to raise if one finds something.

    Raises:
        DivergenceError: Naming the first tensor that is not as it must be.
    """
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    tensors = {
        name: tensor
        for name, tensor in (model.state_dict() if state is None else state).items()
        if isinstance(tensor, Tensor) and (tensor.is_floating_point() or tensor.is_complex())
    }
    if not tensors:
        return
    flags = [(~tensor.isfinite() if name in parameters else tensor.isnan()).any() for name, tensor in tensors.items()]
    is_bad = torch.stack([flag.to(flags[0].device) for flag in flags]).to(torch.uint8)
    if across_processes:
        all_reduce(is_bad, 'max')
    for name, found in zip(tensors, is_bad.tolist(), strict=True):
        if found:
            what = 'is not finite' if name in parameters else 'holds nan'
            raise DivergenceError(
                f'Training has diverged: {name} {what}, and no checkpoint of it is written. Lower the learning '
                'rate, clip gradients (optim_wrapper.clip_grad=dict(max_norm=...)), or lower the loss weights.'
            )
