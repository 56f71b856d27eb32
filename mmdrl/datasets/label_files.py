"""The labels in a file, whatever holds them: a list, arrays, or annotations in JSON."""

import io
import lzma
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.labels import check_labels
from mmdrl.datasets.lists.inaturalist import read_json
from mmdrl.datasets.lists.path_checks import check_different, check_inside
from mmdrl.datasets.lists.path_lists import parse_path_list, read_bytes
from mmdrl.errors import DataError

_LARGEST = 1 << 30  # bytes of a list, unpacked


def read_labels(path: str | Path) -> NDArray[np.int64]:
    """Labels in the order of the file, shape ``(N,)``, from 0.

    Args:
        path: A ``path label`` list (``.txt``, or ``.txt.xz``), an ``.npz`` with ``labels`` or a single array, an
            ``.npy``, or a ``.json`` of ``images`` and ``annotations``, as those of iNaturalist.

    Raises:
        DataError: If there is no such file, or it holds something else.
    """
    path = Path(path).expanduser()
    if not os.path.isfile(path):
        raise DataError(f'There is no file {path}.')
    if path.suffix in ('.npz', '.npy'):
        labels: NDArray[np.integer] = _of_arrays(path)
    elif path.suffix == '.json':
        labels = _of_annotations(path)
    else:
        labels = _of_list(path)
    if labels.size == 0:
        raise DataError(f'{path} holds no label.')
    check_labels(labels, where=f'The labels of {path}')
    return labels.astype(np.int64)


def _of_list(path: Path) -> NDArray[np.int64]:
    """Labels of a list, compressed or not; a class may be empty, as a statistic can show it."""
    content = read_bytes(path)
    if path.suffix == '.xz':
        try:
            with lzma.open(io.BytesIO(content)) as packed:
                content = packed.read(_LARGEST + 1)
        except (lzma.LZMAError, EOFError) as error:
            raise DataError(f'{path} cannot be unpacked ({error}). Get it once more.') from error
        if len(content) > _LARGEST:
            raise DataError(f'{path} unpacks to more than {_LARGEST:,} bytes, which no list has. It was not read.')
    paths, labels = parse_path_list(content, str(path))
    check_inside(paths, str(path))
    check_different(paths, str(path))
    return labels


def _of_arrays(path: Path) -> NDArray[np.integer]:
    try:
        arrays = np.load(path, allow_pickle=False)
        if isinstance(arrays, np.lib.npyio.NpzFile):
            with arrays:
                key = arrays.files[0] if len(arrays.files) == 1 else 'labels'
                arrays = arrays.get(key)
    except Exception as error:  # a damaged header may raise anything
        raise DataError(f'{path} cannot be read as NumPy arrays without pickles ({error}).') from error
    if not isinstance(arrays, np.ndarray):  # NumPy gives None, or the bytes of what is no array
        raise DataError(f"{path} must hold an array 'labels', or nothing but labels.")
    if arrays.ndim != 1 or not np.issubdtype(arrays.dtype, np.integer):
        raise DataError(
            f'The labels of {path} must be integers of shape (N,), got {arrays.dtype} of shape {arrays.shape}.'
        )
    return arrays


def _of_annotations(path: Path) -> NDArray[np.int64]:
    rows, _ = read_json(path)
    return parse_path_list(rows.encode(), str(path), unit='image')[1]
