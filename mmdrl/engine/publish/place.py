"""Giving files their places: all of them or none, and nothing that is there is overwritten."""

import os
from filecmp import cmp
from pathlib import Path

from mmdrl.datasets.preparation import disk_errors
from mmdrl.errors import DataError
from mmdrl.hashed_files import alone


def move_all(made: list[Path], out: Path) -> list[Path]:
    """Paths of the files in their folder; the checkpoint gets there last.

    Args:
        made: Files on the same disk.
        out: The folder.

    Raises:
        DataError: If a file of that name and another content is there, or the disk does not allow it.
    """
    made = sorted(made, key=lambda path: (path.suffix == '.pth', path.name))
    moved: list[Path] = []
    with disk_errors(f'Writing into {out}'), alone(out):
        for path in made:
            there = out / path.name
            if there.exists() and not (there.is_file() and cmp(there, path, shallow=False)):
                raise DataError(
                    f'{there} is there already and has another content. Nothing was written: move it away, or give '
                    'another --out.'
                )
        try:
            for path in made:
                if not (out / path.name).exists():
                    os.rename(path, out / path.name)
                    moved.append(out / path.name)
        except BaseException:
            for path in moved:
                path.unlink(missing_ok=True)
            raise
    return [out / path.name for path in made]
