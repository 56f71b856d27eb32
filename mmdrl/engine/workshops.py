"""A hidden folder in which several files are made that are to appear together.

It is gone when its process is done with it. One that was killed leaves it behind; the next that works beside it removes
it, which it may as soon as nobody holds the lock.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from mmdrl.hashed_files import alone

_OURS = 'mmdrl-unfinished-'  # or a hidden folder of somebody else's might be taken for one


@contextmanager
def workshop(folder: Path, prefix: str) -> Iterator[Path]:
    """A new folder inside another; those that killed processes have left there are removed.

    Args:
        folder: On the disk where the files will lie.
        prefix: Begins its name, and with a dot.
    """
    with alone(folder):  # between being made and being locked it would look like one that was left
        for left in folder.glob(f'{escape(prefix)}{_OURS}????????'):  # tempfile adds eight letters
            _remove_if_left(left)
        made = TemporaryDirectory(dir=folder, prefix=f'{prefix}{_OURS}')
        handle = os.open(made.name, os.O_RDONLY)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with made:
            yield Path(made.name)
    finally:
        os.close(handle)


def _remove_if_left(path: Path) -> None:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(handle)
