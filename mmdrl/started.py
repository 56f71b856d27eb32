"""What processes that ``--gpus N`` has started know themselves by, and how the run they belong to is gone on with."""

import shlex
from collections.abc import Sequence

STARTED = 'MMDRL_STARTED'  # an environment variable; its value tells how to go on with the run, if that is possible
TIMEOUT = 600.0  # seconds until a process gives up waiting for another, unless the config says otherwise

_NOT_TYPED = ('--launcher', '--local_rank', '--local-rank', '--resume')  # by the processes that were started, or anew


def resume_command(arguments: Sequence[str]) -> str:
    """The command with ``--resume``."""
    kept: list[str] = []
    rest = iter(arguments)
    skips = False  # the value of an option that is left out
    for word in rest:
        if skips and not word.startswith('-'):
            skips = False
            continue
        skips = word in _NOT_TYPED
        if not skips and not word.startswith(tuple(f'{name}=' for name in _NOT_TYPED)):
            kept.append(word)
    # Before the other options: those that take lists would take it for an entry, were it not one.
    return shlex.join(['python', *kept, '--resume'])
