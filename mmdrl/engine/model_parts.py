"""Finding and handling parts of the model that a runner holds."""

from fnmatch import fnmatchcase
from typing import Any

import torch
from mmengine.dist import broadcast, is_distributed
from mmengine.model import BaseModule, is_model_wrapper
from torch import nn

from mmdrl.errors import ConfigError
from mmdrl.models import DRHead


def unwrap(model: nn.Module) -> Any:
    """The model without its wrapper for several processes, if it has one."""
    return model.module if is_model_wrapper(model) else model


def find_head(model: nn.Module) -> DRHead | None:
    """The first ``DRHead`` in the model, if there is any."""
    return next((module for module in model.modules() if isinstance(module, DRHead)), None)


def matching_modules(model: nn.Module, pattern: str, stage: str) -> list[nn.Module]:
    """Modules whose name fits the pattern.

    Args:
        model: The whole model, not wrapped.
        pattern: Name as in ``named_modules``, ``*`` allowed.
        stage: Stage that asks, for the message.

    Raises:
        ConfigError: If there is none.
    """
    modules = [module for name, module in model.named_modules() if name and fnmatchcase(name, pattern)]
    if not modules:
        names = ', '.join(name for name, _ in model.named_children())
        raise ConfigError(
            f'Stage {stage!r}: {pattern!r} must match the name of a module, such as {names} or a part of them '
            '(backbone.layer1, head.fc, *.bn?), but matches none.'
        )
    return modules


def check_can_be_initialised(module: nn.Module, pattern: str) -> None:
    """Every parameter must belong to a layer that can reset itself.

    Raises:
        ConfigError: If one does not.
    """
    for name, part in module.named_modules():
        own = [key for key, _ in part.named_parameters(recurse=False)]
        if own and not hasattr(part, 'reset_parameters'):
            raise ConfigError(
                f'reset={pattern!r}: {type(part).__name__} {name or "itself"} holds {", ".join(own)} and cannot be '
                'initialised anew. Name the layers inside that can.'
            )


def initialise_anew(module: nn.Module) -> None:
    """Fresh random weights, the same on all processes: as torch starts a layer, then as its ``init_cfg`` says.

    Args:
        module: A layer or a whole part of the model, checked by :func:`check_can_be_initialised`.
    """
    for part in module.modules():
        if callable(reset := getattr(part, 'reset_parameters', None)):
            reset()
    for part in module.modules():
        if isinstance(part, BaseModule):
            part._is_init = False  # or a part with a rule of its own would keep that of the whole
    if isinstance(module, BaseModule):
        module.init_weights()
    if is_distributed():
        for tensor in [*module.parameters(), *module.buffers()]:
            with torch.no_grad():
                broadcast(tensor.data)
