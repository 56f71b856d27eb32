"""Hooks that the head cannot do without: without one of them the DR loss would silently stay at 0."""

from mmengine.runner import Runner

from mmdrl.engine.model_parts import find_head
from mmdrl.errors import ConfigError

NEEDED = ('ClassCountsHook', 'CentroidHook')


def check_companions(runner: Runner) -> None:
    """A head with the DR loss needs both hooks; a list in a config replaces the inherited one, so they get lost.

    Raises:
        ConfigError: If one is missing.
    """
    head = find_head(runner.model)
    if head is None or head.dr_loss is None:
        return
    present = {type(hook).__name__ for hook in runner.hooks}
    missing = [f"dict(type='mmdrl.{name}')" for name in NEEDED if name not in present]
    if missing:
        raise ConfigError(
            f'The DR loss needs {" and ".join(missing)} in custom_hooks, which this config lacks. A custom_hooks list '
            'replaces the inherited one: repeat the hooks that it had.'
        )
