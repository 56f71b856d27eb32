"""Whether weights are numbers that can be kept.

Features are looked at before each step; what the last step before a checkpoint has done to the weights no feature
has shown yet. So weights and buffers are looked at themselves, before a file is written.
"""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from mmdrl.errors import DivergenceError

from .model_parts import every_module

LOOKED_UP = 100  # calls after which layers are looked up again


def batch_statistics(model: nn.Module) -> dict[str, Tensor]:
    """Running means and variances of the layers that normalise, by name.

    A variance that overflows makes no output infinite: it makes the outputs of later evaluations 0.
    """
    return {
        f'{name}.{key}'.lstrip('.'): getattr(module, key)
        for name, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, _NormBase)
        for key in ('running_mean', 'running_var')
        if getattr(module, key) is not None
    }


class RunningStatistics:
    """The same tensors for every step, without names; going through the model takes longer than looking at them.

    Args:
        model: Not wrapped. Which layers it has is looked up every ``LOOKED_UP`` calls.
    """

    def __init__(self, model: nn.Module):
        self.model = model
        self._layers: list[nn.Module] = []
        self._calls_left = 0

    def __call__(self) -> list[Tensor]:
        """Running means and variances as they are now; one that is shared comes as often."""
        if not self._calls_left:
            self._layers = [module for module in every_module(self.model) if isinstance(module, _NormBase)]
            self._calls_left = LOOKED_UP
        self._calls_left -= 1
        found = [layer._buffers.get(key) for layer in self._layers for key in ('running_mean', 'running_var')]
        return [tensor for tensor in found if tensor is not None]

    def look_anew(self) -> None:
        """Look the layers up at the next call, as something new may be in the model."""
        self._calls_left = 0


@torch.no_grad()
def first_not_finite(
    model: nn.Module, state: Mapping[str, Any] | None = None, across_processes: bool = False
) -> str | None:
    """What is wrong with the first tensor that is not as it must be, in words; ``None`` if all are.

    Parameters and batch statistics must be finite; other buffers hold no nan, an infinite entry may be a mask. Waits
    for the device once, however many tensors there are.

    Args:
        model: The model, not wrapped.
        state: A state dict of the same names to look at in place of the model's own, such as that of averaged
            weights.
        across_processes: Whether all processes call this, and all are to know if one finds something.
    """
    always = {name for name, _ in model.named_parameters(remove_duplicate=False)} | batch_statistics(model).keys()
    tensors = {
        name: tensor
        for name, tensor in (model.state_dict() if state is None else state).items()
        if isinstance(tensor, Tensor) and (tensor.is_floating_point() or tensor.is_complex())
    }
    if not tensors:
        return None
    flags = [(~tensor.isfinite() if name in always else tensor.isnan()).any() for name, tensor in tensors.items()]
    is_bad = torch.stack([flag.to(flags[0].device) for flag in flags]).to(torch.uint8)
    if across_processes:
        all_reduce(is_bad, 'max')
    bad = next((name for name, found in zip(tensors, is_bad.tolist(), strict=True) if found), None)
    return None if bad is None else f'{bad} {"is not finite" if bad in always else "holds nan"}'


def check_finite(
    model: nn.Module, state: Mapping[str, Any] | None = None, *, across_processes: bool = False, what: str = ''
) -> None:
    """All must be as :func:`first_not_finite` wants it before it is kept.

    Args:
        model: As there.
        state: As there.
        across_processes: As there.
        what: What the tensors are of those names, if not the parts of the model: such as ``'the gradient of '``.

    Raises:
        DivergenceError: Naming the first tensor that is not as it must be.
    """
    found = first_not_finite(model, state, across_processes)
    if found is not None:
        raise DivergenceError(
            f'Training has diverged: {what}{found}, and no checkpoint of it is written. Lower the learning rate, clip '
            'gradients (optim_wrapper.clip_grad=dict(max_norm=...)), or lower the loss weights.'
        )
