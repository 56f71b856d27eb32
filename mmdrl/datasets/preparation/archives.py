"""Unpacking an archive of strangers: nothing may leave the folder, nothing is half there.

The members go into a hidden folder beside the target and take their places when all of them are there. What is
in the place already is left alone.
"""

import os
import shutil
import tarfile
import zlib
from pathlib import Path

from mmdrl.datasets.preparation.files import Progress, disk_errors, lock, reading_of
from mmdrl.errors import DataError


def unpack(archive: Path, folder: Path, progress: Progress | None = None) -> list[Path]:
    """Files and folders that the tar archive adds to ``folder``, at its top level.

    Args:
        archive: A ``.tar`` or ``.tar.gz``.
        folder: Where to unpack it.
        progress: Told how far a large archive is read.

    Raises:
        DataError: If the archive is damaged, holds a path or link that leads out of the folder, or something that is
            neither a file nor a folder nor a link; if the disk is full, or something of the same name is there, or
            another process is at it.
    """
    if not hasattr(tarfile, 'data_filter'):
        raise DataError(
            f'This version of Python cannot unpack {archive.name} safely. Use the latest 3.10, 3.11 or a later one, '
            f'or unpack it by hand: tar -xf {archive} -C {folder}'
        )
    room = shutil.disk_usage(folder).free
    if room < archive.stat().st_size:
        raise DataError(
            f'Unpacking {archive} needs at least {archive.stat().st_size / 1e9:.2f} GB on the disk, where '
            f'{room / 1e9:.2f} GB are free. Make room and run the same command.'
        )
    workshop = folder / f'.{archive.name}.unpacking'
    with disk_errors(f'Unpacking {archive}'), archive.open('rb') as stream:
        lock(stream, f'unpacking {archive}')
        shutil.rmtree(workshop, ignore_errors=True)  # of a run that was killed
        workshop.mkdir()
        try:
            _extract(archive, workshop, progress)
            return _move(workshop, folder, archive)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)


def _move(workshop: Path, folder: Path, archive: Path) -> list[Path]:
    """The members in their places; all of them or none."""
    moves = {path: folder / path.name for path in sorted(workshop.iterdir())}
    for place in moves.values():
        if os.path.lexists(place):
            raise DataError(
                f'{archive} was not unpacked, for {place} is there already and is left as it is. '
                'If it is not what you want, move it away and run the same command.'
            )
    for path, place in moves.items():
        path.rename(place)
    return list(moves.values())


def _extract(archive: Path, folder: Path, progress: Progress | None) -> None:
    show = reading_of(archive, 'unpacking', progress)
    try:
        with archive.open('rb') as stream, tarfile.open(fileobj=stream) as members:
            for member in members:
                members.extract(member, folder, filter='data')
                show(stream.tell())
                # Otherwise millions of images are kept in memory by name.
                members.members.clear()  # type: ignore[attr-defined]
    except (tarfile.FilterError, tarfile.SpecialFileError) as error:
        raise DataError(f'{archive} is not safe to unpack and was left alone: {error}.') from error
    except (tarfile.TarError, EOFError, zlib.error, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk; gzip's have no number
        reason = str(error).partition(':\n')[0]  # what follows is a line for each kind of compression
        raise DataError(f'{archive} is damaged ({reason}). Move it away and fetch it again.') from error
