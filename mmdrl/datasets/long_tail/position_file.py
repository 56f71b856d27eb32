"""Positions of images from a file, the form in which long-tailed subsets are published."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmdrl.errors import ConfigError, DataError


def read_positions(file: str | Path, key: str = '') -> NDArray[np.int64]:
    """Positions, shape ``(n,)``, in the order of the file.

    Args:
        file: ``.npz``, ``.npy``, or text with one number per line; blank lines at its end are fine.
        key: Name of the array in a ``.npz`` that holds several.

    Raises:
        ConfigError: If the key is missing, is not in the file, or the file is of a kind without keys.
        DataError: If the file is missing or empty, or holds anything but whole numbers; of text it names the line.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise DataError(f'There is no file {path} of positions. Is indices_file right, relative to here?')
    if key and path.suffix != '.npz':
        raise ConfigError(f'indices_key names an array of a .npz, but indices_file is {path}.')
    positions = _from_arrays(path, key) if path.suffix in ('.npz', '.npy') else _from_text(path)
    where = f"'{key}' of {path}" if key else str(path)
    if positions.ndim != 1 or len(positions) == 0 or not np.issubdtype(positions.dtype, np.integer):
        raise DataError(
            f'{where} must hold whole numbers of shape (n,), got {positions.dtype} of shape {positions.shape}.'
        )
    if positions.max() > np.iinfo(np.int64).max:
        raise DataError(f'{where} must hold positions of images, got {positions.max()}.')
    return positions.astype(np.int64)


def _from_arrays(path: Path, key: str) -> NDArray:
    try:
        content = np.load(path, allow_pickle=False)
        if not isinstance(content, np.lib.npyio.NpzFile):
            return content
        with content as archive:
            if not key and len(archive.files) == 1:
                key = archive.files[0]
            if key not in archive.files:
                raise ConfigError(
                    f'indices_key must be one of {sorted(archive.files)}, the arrays of {path}, got {key!r}.'
                )
            return archive[key]
    except ConfigError:
        raise
    except Exception as error:  # what a damaged archive raises depends on where it is damaged
        raise DataError(f'{path} cannot be read as arrays of plain numbers ({error}).') from error


def _from_text(path: Path) -> NDArray[np.int64]:
    numbers = []
    text = path.read_text(encoding='utf-8-sig', errors='replace').rstrip()
    for number, line in enumerate(text.splitlines(), start=1):
        if not re.fullmatch(r'\s*[+-]?[0-9]{1,40}\s*', line):
            raise DataError(f'{path}, line {number}: expected one whole number, got {line.strip()[:40]!r}.')
        numbers.append(int(line))
    try:
        return np.array(numbers, dtype=np.int64)
    except OverflowError:
        raise DataError(f'{path} must hold positions of images, got a number beyond 64 bits.') from None
