"""The head of a stage: the config's, or one that takes its place and as much of its state as fits."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.runner import Runner
from torch import nn

from mmdrl.engine.model_parts import broadcast_state, unwrap
from mmdrl.errors import ConfigError
from mmdrl.models.class_counts import KeepsClassCounts
from mmdrl.registry import MODELS

from .plan import StagePlan


def merged(base: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """A config with changes, as ``_base_`` merges them: keys stay unless a dict has ``_delete_=True``."""
    whole = Config(dict(part=deepcopy(base)))
    whole.merge_from_dict(dict(part=deepcopy(changes)))
    return dict(whole.part.to_dict())


def head_config(cfg: Any, plan: StagePlan, index: int) -> dict[str, Any]:
    """Config of the head in a stage: that of the run with the changes of all stages so far; empty if it has none."""
    config = (cfg.get('model') or {}).get('head')
    if not isinstance(config, dict):
        return {}
    for stage in plan.stages[: index + 1]:
        if stage.head is not None:
            config = merged(config, stage.head)
    return dict(config)


def stage_head(cfg: Any, plan: StagePlan, index: int, old: nn.Module) -> nn.Module | None:
    """A new head as a stage has it, initialised; the same on all processes.

    Args:
        cfg: Config of the run.
        plan: The stages.
        index: Which one.
        old: The head before, whose values stay where name and shape are the same, but for those that nothing would
            learn any more.

    Returns:
        The head, on the device of the old one; ``None`` if no stage so far has changed that of the config.

    Raises:
        ConfigError: If it cannot be built, or is for other classes or features.
    """
    if all(stage.head is None for stage in plan.stages[: index + 1]):
        return None
    config = head_config(cfg, plan, index)
    if not config:
        raise ConfigError(f'Stage {plan[index].name!r} changes the head, but the config has no model.head to change.')
    new = _built(config, plan[index].name)
    for size in ('num_classes', 'in_channels'):
        before, now = getattr(old, size, None), getattr(new, size, None)
        if before is not None and now is not None and before != now:
            raise ConfigError(
                f'Stage {plan[index].name!r}: the head has {size}={now}, the one before {before}. A head may be '
                'replaced by one of the same classes and features only.'
            )
    if isinstance(new, BaseModule):
        new.init_weights()
    new.to(next((tensor.device for tensor in [*old.parameters(), *old.buffers()]), None))
    known = new.state_dict()
    for name in dict(old.named_parameters()).keys() & dict(new.named_buffers()).keys():
        known.pop(name, None)  # nothing would learn it any more: a cosine classifier takes no bias from a linear one
    new.load_state_dict({k: v for k, v in old.state_dict().items() if _fits(v, known.get(k))}, strict=False)
    hand_on_class_counts(old, new)
    broadcast_state(new)
    return new


def head_of_checkpoint(runner: Runner, checkpoint: Mapping[str, Any]) -> nn.Module | None:
    """The head that the model had when a checkpoint was saved; ``None`` if it is that of the config.

    Args:
        runner: Its config and stages say what the head of each stage is; stages are told by their names.
        checkpoint: Content of the file.
    """
    plan = plan_of(runner)
    index = None if plan is None else stage_of_checkpoint(plan, checkpoint)
    if plan is None or index is None:
        return None
    return stage_head(runner.cfg, plan, index, unwrap(runner.model).head)


def stage_of_checkpoint(plan: StagePlan, checkpoint: Mapping[str, Any]) -> int | None:
    """The stage in which a checkpoint was saved, told by its name; ``None`` if it does not say."""
    saved: Any = checkpoint.get('stages')
    try:
        name = saved['plan'][saved['current']]['name']
    except (KeyError, IndexError, TypeError):  # resuming tells
        return None
    return next((index for index, stage in enumerate(plan.stages) if stage.name == name), 0)


def plan_of(runner: Runner) -> StagePlan | None:
    """The stages of a run; ``None`` if it has none."""
    return next((hook.plan for hook in runner.hooks if isinstance(getattr(hook, 'plan', None), StagePlan)), None)


def hand_on_class_counts(source: nn.Module, target: nn.Module) -> None:
    """Tell a part that is new to a run the training images per class, if any part of the source knows them."""
    known = next((m for m in source.modules() if isinstance(m, KeepsClassCounts) and m.class_counts.any()), None)
    for module in target.modules():
        if known is not None and isinstance(module, KeepsClassCounts) and not module.has_own_class_counts:
            module.set_class_counts(known.class_counts)


def _built(config: dict[str, Any], stage: str) -> nn.Module:
    try:
        head: nn.Module = MODELS.build(config)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f'Stage {stage!r}: the head cannot be built: {error.args[0] if error.args else error} (head is merged into '
            'model.head, whose keys stay unless it has _delete_=True.)'
        ) from error
    return head


def _fits(value: Any, other: Any) -> bool:
    return isinstance(other, torch.Tensor) and isinstance(value, torch.Tensor) and other.shape == value.shape
