"""Files of a run that are there whole or not at all, whatever ends the process that writes them.

A file is written aside in the same folder under a hidden name, brought to the disk, and renamed: who opens it under its
own name sees what was there before or all of the new. What a killed process has left aside is told by that name, and
that nobody holds its lock.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from mmdrl.datasets.preparation import disk_errors, new_file

from .checkpoints import LAST

NAME = 'mmdrl_atomic'
ATOMIC = dict(backend=NAME)  # as ``backend_args`` of what saves through MMEngine
_LEFT = ('.*.pth.part', f'.{LAST}.part')  # of mmdrl.datasets.preparation.new_file


class AtomicBackend(LocalBackend):
    """MMEngine's local files, each written whole or not at all; behind a link, where that leads."""

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write bytes.

        Raises:
            DataError: If the disk or the rights do not allow it.
        """
        path = Path(filepath).resolve()
        size = f' ({len(obj) / 1e6:,.1f} MB)' if len(obj) > 1e5 else ''
        with disk_errors(f'Writing {path}{size}', path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with new_file(path) as stream:
                stream.write(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text.

        Raises:
            DataError: If the disk or the rights do not allow it.
        """
        self.put(obj.encode(encoding), filepath)


register_backend(NAME, AtomicBackend, force=True)


def note_last(folder: str | Path, checkpoint: str | Path) -> None:
    """Write which checkpoint is the last of a run, where MMEngine looks for it.

    Args:
        folder: Work folder.
        checkpoint: Its path or address, whole and on the disk already.

    Raises:
        DataError: If the disk or the rights do not allow it.
    """
    AtomicBackend().put_text(str(checkpoint), Path(folder) / LAST)


def remove_leftovers(folder: str | Path) -> list[Path]:
    """Remove what killed processes have left aside in a folder; what a living one is writing stays.

    Returns:
        Paths of the files that are gone.
    """
    gone = []
    for path in [path for pattern in _LEFT for path in Path(folder).glob(pattern)]:
        # Without a lock (another process has it, or the file system knows none) nobody can tell: it stays, and goes
        # when a file of that name is written again.
        with suppress(OSError), path.open('rb') as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                path.unlink()
                gone.append(path)
    return gone
