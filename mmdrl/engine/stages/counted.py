"""Parts of a model that nobody would tell the class counts."""

from mmengine.runner import Runner
from torch import nn

from mmdrl.errors import ConfigError
from mmdrl.models import DRHead
from mmdrl.models.class_counts import KeepsClassCounts


def hook_kinds(runner: Runner) -> set[str]:
    """Names of the classes of the hooks, and of those that they are derived from: a project may have its own."""
    return {kind.__name__ for hook in runner.hooks for kind in type(hook).__mro__}


def check_counted(runner: Runner, module: nn.Module) -> None:
    """A loss or a preprocessor that goes by the class counts needs ``ClassCountsHook``, or counts of its own.

    Args:
        runner: With its hooks.
        module: A model, or the loss of a stage.

    Raises:
        ConfigError: If it has neither.
    """
    if 'ClassCountsHook' in hook_kinds(runner):
        return
    for part in module.modules():
        # A head needs them for its DR loss only, which has a check of its own.
        if isinstance(part, KeepsClassCounts) and not isinstance(part, DRHead) and not bool(part.class_counts.any()):
            raise ConfigError(
                f'{type(part).__name__} goes by the training images per class, which nobody tells it. Add '
                "default_hooks=dict(class_counts=dict(type='mmdrl.ClassCountsHook')) to the config."
            )
