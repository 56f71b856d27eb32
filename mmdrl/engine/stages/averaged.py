"""The averaged model of an ``EMAHook`` follows what stages do to the model that learns."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from torch import nn

from mmdrl.engine.model_parts import matching_modules, unwrap


def give_loss(runner: Runner, loss: nn.Module) -> None:
    """A copy of the loss of a stage, as averaging pairs the buffers of both models by their order."""
    for averaged in _averaged(runner):
        averaged.head.loss_module = deepcopy(loss)


def begin_anew(runner: Runner, patterns: tuple[str, ...] | None = None) -> None:
    """Let averages begin with the present values, as those before were of other weights.

    Args:
        runner: Whose model has been changed.
        patterns: Names of modules, ``*`` allowed; ``None``: the whole model.
    """
    model = unwrap(runner.model)
    for averaged in _averaged(runner):
        pairs = [(averaged, model)]
        if patterns is not None:
            found = [[m for name in patterns for m in matching_modules(of, name, '')] for of in (averaged, model)]
            pairs = list(zip(*found, strict=True))
        for target, source in pairs:
            target.load_state_dict(source.state_dict())


def _averaged(runner: Runner) -> Iterator[Any]:
    return (unwrap(hook.ema_model.module) for hook in runner.hooks if isinstance(hook, EMAHook))
