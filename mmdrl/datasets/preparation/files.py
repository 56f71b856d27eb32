"""A file that can be fetched, and whether a copy of it is the right one.

Hashing 120 GB takes minutes, so a copy that was found right is noted in the folder with its size and time of
change: as long as both stay, it is not read again.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from mmdrl.datasets.lists.published import blob_hash
from mmdrl.errors import DataError

NOTE = '.checked.json'
CHUNK = 1 << 20  # bytes
LONG = 1 << 30  # bytes that take a while to read

Progress = Callable[[str, int, int | None], None]  # name, bytes that are there, bytes of the whole file if known


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server.

    Attributes:
        url: Its address.
        digest: Its hash in hexadecimal digits, as its publisher gives it.
        algorithm: ``'md5'``, or ``'git'`` for the hash that ``git hash-object`` prints.
    """

    url: str
    digest: str
    algorithm: Literal['md5', 'git'] = 'md5'

    @property
    def name(self) -> str:
        """Its name without the folders."""
        return self.url.rpartition('/')[2]


def reading_of(path: Path, what: str, progress: Progress | None) -> Callable[[int], None]:
    """What is told the bytes that have been read of a file, and hands them on if reading it takes a while."""
    size = path.stat().st_size
    if progress is None or size < LONG:
        return lambda _: None
    return lambda have: progress(f'{what} {path.name}', have, size)


def file_digest(path: Path, algorithm: Literal['md5', 'git'], progress: Progress | None = None) -> str:
    """Hash of a file's content in hexadecimal digits; one with an md5 may be larger than the memory."""
    if algorithm == 'git':  # which hashes the length first; only lists have it, and fit into memory
        return blob_hash(path.read_bytes())
    show = reading_of(path, 'checking', progress)
    digest = hashlib.md5(usedforsecurity=False)
    with path.open('rb') as file:
        while block := file.read(CHUNK):
            digest.update(block)
            show(file.tell())
    return digest.hexdigest()


def is_right(file: RemoteFile, path: Path, progress: Progress | None = None) -> bool:
    """Whether the copy at ``path`` has the published hash; noted beside it if so."""
    if is_noted(path, file.digest):
        return True
    if file_digest(path, file.algorithm, progress) != file.digest:
        return False
    note(path, file.digest)
    return True


def note(path: Path, what: str) -> None:
    """Remember that the file at ``path`` was found to be ``what``, if its folder can be written to."""
    notes = {name: entry for name, entry in _notes(path.parent).items() if (path.parent / name).exists()}
    with suppress(OSError, DataError), new_file(path.parent / NOTE) as stream:
        stream.write(json.dumps({**notes, path.name: _entry(path, what)}, indent=1).encode())


def is_noted(path: Path, what: str) -> bool:
    """Whether the file at ``path`` was found to be ``what`` and has not been changed since."""
    return path.is_file() and _notes(path.parent).get(path.name) == _entry(path, what)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the name ``path`` once it is whole and on the disk; nothing is left if it fails.

    What is no plain file, such as ``/dev/stdout`` or another link, is written to as it is.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        with path.open('wb') as stream:
            yield stream
        return
    temporary = path.with_name(f'.{path.name}.part')
    # Neither 'wb', which would empty another run's file, nor 'ab', in which zip archives cannot be written.
    with open(temporary, 'r+b', opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o666)) as stream:
        lock(stream, f'writing {path}')
        try:
            stream.truncate(0)  # what a killed run has left
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def lock(file: BinaryIO, doing: str) -> None:
    """Two runs must not do the same with one file; the lock goes with the process.

    Args:
        file: Open file that stands for the work.
        doing: What the other process is about, for the message.

    Raises:
        DataError: If another process holds it, or has just given the part its name.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_mine = os.path.samestat(os.stat(file.name), os.fstat(file.fileno()))
    except (BlockingIOError, FileNotFoundError):
        is_mine = False
    except OSError:  # a file system without locks
        is_mine = True
    if not is_mine:
        raise DataError(f'Another process is {doing}. Wait for it, or stop it.')


@contextmanager
def disk_errors(doing: str, folder: Path | None = None) -> Iterator[None]:
    """Turns what the disk or the rights refuse into a sentence that begins with ``doing``.

    Args:
        doing: What fails.
        folder: Of a run: the sentence says how much room is left there, and leaves to the run how it goes on.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        reason, question = f'{doing} failed: {error.strerror}', 'Is there room, and may you write there?'
        if folder is None:
            rest = f'. {question} What was there before is untouched; the same command goes on.'
        else:
            rest = f'; {free_room(folder)} free there. {question} What was there before is untouched.'
        raise DataError(reason + rest) from error


def free_room(folder: Path) -> str:
    """How much room the disk of a folder has, in words."""
    try:
        disk = os.statvfs(folder)
        if disk.f_files and not disk.f_favail:
            return 'no further file, however small, is'
        return f'{disk.f_bavail * disk.f_frsize / 1e6:,.1f} MB are'
    except OSError:
        return 'nobody knows how much is'


def _sync_folder(folder: Path) -> None:
    """Bring a new name to the disk, too; where a folder cannot be opened for that, the system does it in its time."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _entry(path: Path, what: str) -> list[str | int]:
    return [what, path.stat().st_size, path.stat().st_mtime_ns]


def _notes(folder: Path) -> dict[str, Any]:
    try:
        notes = json.loads((folder / NOTE).read_text())
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}
