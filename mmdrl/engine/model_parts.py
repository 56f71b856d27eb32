"""Finding and handling parts of the model that a runner holds."""

from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, cast

import torch
from mmengine.dist import broadcast, is_distributed
from mmengine.model import BaseModule, is_model_wrapper
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from mmdrl.errors import ConfigError
from mmdrl.models import DRHead


def unwrap(model: nn.Module) -> Any:
    """The model without its wrapper for several processes, if it has one."""
    return model.module if is_model_wrapper(model) else model


def find_head(model: nn.Module) -> DRHead | None:
    """The first ``DRHead`` in the model, if there is any."""
    # isinstance would ask MMEngine's abstract base class, for a microsecond each.
    heads = (module for module in every_module(model) if DRHead in type(module).__mro__)
    return cast(DRHead | None, next(heads, None))


def every_module(model: nn.Module) -> list[nn.Module]:
    """The modules of a model in the order of ``model.modules()``, one that is shared as often as it is named.

    A step can afford it: 25 microseconds for a ResNet-50, whose ``modules()`` takes 200.
    """
    found, ahead = [], [model]
    while ahead:
        module = ahead.pop()
        found.append(module)
        ahead.extend(part for part in reversed(module._modules.values()) if part is not None)
    return found


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


class FrozenParts(NamedTuple):
    """What a pattern keeps as it is.

    Attributes:
        parameters: They do not learn.
        modules: They stay in eval mode: batch statistics do not change.
    """

    parameters: list[nn.Parameter]
    modules: list[nn.Module]


def frozen_parts(model: nn.Module, pattern: str, stage: str) -> FrozenParts:
    """Parameters and modules that a pattern of names freezes.

    Args:
        model: The whole model, not wrapped.
        pattern: Name of modules as in ``named_modules``, or of parameters, ``*`` allowed.
        stage: Stage that asks, for the message.

    Raises:
        ConfigError: If it matches nothing, or nothing that learns.
    """
    single = [p for name, p in model.named_parameters() if fnmatchcase(name, pattern)]
    modules = [module for name, module in model.named_modules() if name and fnmatchcase(name, pattern)]
    if not single and not modules:
        matching_modules(model, pattern, stage)  # says what there is
    parameters = single + [p for module in modules for p in module.parameters()]
    if not parameters and not any(isinstance(part, _NormBase) for module in modules for part in module.modules()):
        raise ConfigError(
            f'Stage {stage!r}: freeze={pattern!r} freezes nothing: {type(modules[0]).__name__} has no parameters and '
            'no batch statistics. Leave it out.'
        )
    return FrozenParts(parameters, modules)


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


def initialise_anew(model: nn.Module, module: nn.Module) -> None:
    """Fresh random weights as at the start of a run, the same on all processes.

    That is as torch starts a layer, then as ``init_cfg`` says: that of the part, or of what it lies in, for the rule
    of a classifier is its head's.

    Args:
        model: The whole model, not wrapped.
        module: A layer or a whole part of it, checked by :func:`check_can_be_initialised`.
    """
    owners = [part for part in model.modules() if isinstance(part, BaseModule) and part.init_cfg]
    places = [(owner, name) for owner in owners for name, part in owner.named_modules() if part is module]
    if places and places[-1][1]:
        owner, name = places[-1]  # the innermost
        twin = deepcopy(owner)
        _start(twin)
        module.load_state_dict(twin.get_submodule(name).state_dict())
    else:
        _start(module)
    broadcast_state(module)


@torch.no_grad()
def broadcast_state(module: nn.Module) -> None:
    """Give all processes the parameters and buffers of the first."""
    if is_distributed():
        for tensor in [*module.parameters(), *module.buffers()]:
            broadcast(tensor.data)


def _start(module: nn.Module) -> None:
    for part in module.modules():
        if callable(reset := getattr(part, 'reset_parameters', None)):
            reset()
    for part in module.modules():
        if isinstance(part, BaseModule):
            part._is_init = False  # or a part with a rule of its own would keep that of the whole
    if isinstance(module, BaseModule):
        module.init_weights()
