"""Of several processes that fail, the one that says why.

When one fails, the others soon do too: for the same reason, or because the first is gone. Whoever comes first notes it
in the store at which the processes of torchrun or of ``--gpus N`` have met, and the others keep quiet.
"""

import os
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from mmdrl.started import STARTED

if TYPE_CHECKING:
    from torch.distributed import Store

_FAILED, _SAID = 'mmdrl/failed', 'mmdrl/said'
_LOOK = 0.1  # seconds between two looks at the store
_LAUNCHER_SPEAKS = 5.0  # seconds in which mmdrl.supervise notes that it will say what has ended a process
_FIRST_SPEAKS = 10.0  # seconds that a process may take to end
_SRUN_WAITS = 1.0  # the same where processes that end well have nobody end the others


def is_to_speak(follows: bool = False) -> bool:
    """Whether this process is to say why it fails; if not, it may end when this returns, after seconds.

    Args:
        follows: Whether it fails because another process has gone.
    """
    if int(os.environ.get('WORLD_SIZE', 1)) == 1:
        return True
    store = meeting_place()
    if store is None:  # started by srun or the like
        if not is_first():
            time.sleep(_FIRST_SPEAKS)
        return True
    try:
        # Whoever fails with a reason notes it before it goes; a signal leaves the word to the launcher.
        until = time.monotonic() + (_LAUNCHER_SPEAKS if follows and STARTED in os.environ else 0.0)
        while time.monotonic() < until and store.add(_FAILED, 0) == 0:
            time.sleep(_LOOK)
        if store.add(_FAILED, 1) == 1:
            return True
    except RuntimeError:  # the store has gone with its launcher
        return True
    wait_for_speaker()
    return False


def wait_for_speaker() -> None:
    """Wait until another process has said what all have met with: its launcher ends it when this one ends."""
    store = meeting_place()
    until = time.monotonic() + (_SRUN_WAITS if store is None else _FIRST_SPEAKS)
    with suppress(RuntimeError):
        while time.monotonic() < until and (store is None or store.add(_SAID, 0) == 0):
            time.sleep(_LOOK)


def has_spoken(store: 'Store | None' = None) -> None:
    """Let those go that wait for it.

    Args:
        store: As :func:`meeting_place` gives it, which is asked for if not given.
    """
    place = store or meeting_place()
    if place is not None:
        with suppress(RuntimeError):
            place.add(_FAILED, 1)
            place.add(_SAID, 1)


def is_first() -> bool:
    """Whether this is the first process."""
    return os.environ.get('RANK', '0') == '0'


def meeting_place() -> 'Store | None':
    """Where the processes have met; ``None`` if that is at one of them."""
    if has_meeting_place():
        with suppress(KeyError, ValueError, RuntimeError):
            return open_meeting_place(timedelta(seconds=_LAUNCHER_SPEAKS))
    return None


def has_meeting_place() -> bool:
    """Whether the processes meet at a store that what has started them keeps."""
    return os.environ.get('TORCHELASTIC_USE_AGENT_STORE') == 'True'


def open_meeting_place(timeout: timedelta) -> 'Store':
    """That store, of which processes that are started anew after a failure see nothing that was there before.

    Args:
        timeout: How long it waits for an answer.
    """
    from torch.distributed import PrefixStore, TCPStore

    address, port = os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT'])
    store = TCPStore(address, port, is_master=False, timeout=timeout)
    return PrefixStore(os.environ.get('TORCHELASTIC_RESTART_COUNT', '0'), store)
