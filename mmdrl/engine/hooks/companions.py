"""Hooks that the DR loss cannot do without: it would stay at 0, and nobody would notice."""

from mmengine.runner import Runner

from mmdrl.engine.model_parts import find_head
from mmdrl.engine.stages.counted import check_counted
from mmdrl.errors import ConfigError

NEEDED = {'class_counts': 'ClassCountsHook', 'centroids': 'CentroidHook'}


def check_companions(runner: Runner) -> None:
    """A head with the DR loss needs both hooks, whatever else goes by the class counts the first.

    Raises:
        ConfigError: If one is missing.
    """
    check_counted(runner, runner.model)
    head = find_head(runner.model)
    if head is None or not len(head.dr_layers):
        return
    present = {type(hook).__name__ for hook in runner.hooks}
    missing = [f"{key}=dict(type='mmdrl.{name}')" for key, name in NEEDED.items() if name not in present]
    if missing:
        raise ConfigError(f'The DR loss needs two hooks. Add default_hooks=dict({", ".join(missing)}) to the config.')
