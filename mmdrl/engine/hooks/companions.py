"""Hooks that the DR loss cannot do without: it would stay at 0, and nobody would notice."""

from mmengine.runner import Runner
from torch import nn

from mmdrl.engine.stages.counted import check_counted, hook_kinds
from mmdrl.errors import ConfigError
from mmdrl.models import ClassCentroids, DRLayer, DRLoss

NEEDED = {'class_counts': 'ClassCountsHook', 'centroids': 'CentroidHook'}


def check_companions(runner: Runner) -> None:
    """A model with the DR loss needs both hooks, whatever else goes by the class counts the first.

    That is one whose head is ``DRHead``, or one of a project's own that has a ``DRLoss`` beside its ``ClassCentroids``.

    Raises:
        ConfigError: If one is missing.
    """
    check_counted(runner, runner.model)
    kinds = [kind for kind in (DRLayer, DRLoss, ClassCentroids) if _has(runner.model, kind)]
    if DRLayer not in kinds and kinds != [DRLoss, ClassCentroids]:
        return
    present = hook_kinds(runner)
    missing = [f"{key}=dict(type='mmdrl.{name}')" for key, name in NEEDED.items() if name not in present]
    if missing:
        raise ConfigError(f'The DR loss needs two hooks. Add default_hooks=dict({", ".join(missing)}) to the config.')


def _has(model: nn.Module, kind: type[nn.Module]) -> bool:
    return any(isinstance(module, kind) for module in model.modules())
