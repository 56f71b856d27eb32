"""Whether a stage fits the model at hand, and what its loss weights mean there."""

from typing import Any

from torch import nn

from mmdrl.errors import ConfigError

from .model_parts import check_can_be_initialised, matching_modules
from .stage_plan import Stage


def check_stage(model: nn.Module, stage: Stage) -> None:
    """What the stage freezes, initialises anew and weighs must be there.

    Raises:
        ConfigError: If it is not, or nothing would be left to learn.
    """
    frozen = [m for pattern in stage.freeze for m in matching_modules(model, pattern, stage.name)]
    if {id(p) for p in model.parameters()} <= {id(p) for module in frozen for p in module.parameters()}:
        raise ConfigError(f'Stage {stage.name!r} freezes {", ".join(stage.freeze)}, which leaves nothing to learn.')
    for pattern in stage.reset:
        for module in matching_modules(model, pattern, stage.name):
            check_can_be_initialised(module, pattern)
    loss_scales(model, stage)


def loss_scales(model: nn.Module, stage: Stage) -> list[tuple[Any, dict[str, float]]]:
    """Heads and the factors of their losses in this stage."""
    heads: list[Any] = [module for module in model.modules() if isinstance(getattr(module, 'loss_scale', None), dict)]
    known = set().union(*(head.loss_scale for head in heads)) if heads else set()
    if not set(stage.loss_weights) <= known:
        raise ConfigError(
            f'Stage {stage.name!r}: loss_weights may name {", ".join(sorted(known)) or "no loss of this model"}, '
            f'got {", ".join(stage.loss_weights)}. (mmdrl.DRHead has loss_cls and loss_dr.)'
        )
    return [(head, {name: float(stage.loss_weights.get(name, 1.0)) for name in head.loss_scale}) for head in heads]
