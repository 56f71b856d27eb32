"""What the paths and labels of a list must fulfil before anything is read by them."""

import re

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.lists.shared_columns import PathColumn
from mmdrl.errors import DataError

MAX_LENGTH = 4096  # bytes of a path, as Linux has it
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LEADS_OUT = re.compile(r'(^|[\\/])\.\.([\\/]|$)|^[\\/]|^[A-Za-z]:|^~|^\w+://')


def check_inside(paths: PathColumn, where: str, unit: str = 'line') -> None:
    """Every path must stay below the folder it is joined to.

    Raises:
        DataError: If one is absolute or holds ``..``, with slashes or backslashes.
    """
    data, starts, lengths = paths.arrays()
    first, second = data[starts], data[starts + 1]
    suspicious = np.isin(first, np.frombuffer(b'\\/~', np.uint8)) | (second == ord(':'))
    for mark in (b'..', b'://'):
        suspicious[_rows_holding(data, starts, lengths, mark)] = True
    for row in np.flatnonzero(suspicious).tolist():
        if _LEADS_OUT.search(paths[row]):
            raise DataError(
                f'{where}, {unit} {row + 1}: paths must be relative and stay below the folder of the images, got '
                f'{paths[row]!r}.'
            )


def check_different(paths: PathColumn, where: str, unit: str = 'line') -> None:
    """No path may occur twice.

    Raises:
        DataError: If one does; the message names both rows.
    """
    hashes = _hashes(*paths.arrays())
    order = np.argsort(hashes, kind='stable')
    ordered = hashes[order]
    alike = np.flatnonzero(ordered[1:] == ordered[:-1])
    seen: dict[str, int] = {}
    for row in np.unique(np.concatenate((order[alike], order[alike + 1]))).tolist():
        earlier = seen.setdefault(paths[row], row)
        if earlier != row:
            raise DataError(
                f'{where}, {unit} {row + 1}: every image must occur once, got {paths[row]!r} again, which {unit} '
                f'{earlier + 1} has.'
            )


def check_classes(
    labels: NDArray[np.int64],
    num_classes: int | None,
    where: str,
    unit: str = 'line',
    *,
    allow_empty_classes: bool = False,
) -> None:
    """Labels must lie below ``num_classes``, and every class up to the largest label must have an image.

    Args:
        labels: Shape ``(N,)``, from 0.
        num_classes: K; None checks for empty classes only.
        where: What holds the labels.
        unit: What a row is called.
        allow_empty_classes: Whether a class may have no image.

    Raises:
        DataError: If not; the message names the class, and the row of an unknown one.
    """
    if num_classes is not None and (labels >= num_classes).any():
        row = int((labels >= num_classes).argmax())
        raise DataError(
            f'{where}, {unit} {row + 1}: there are {num_classes} classes, so labels must lie in [0, {num_classes}), '
            f'got class {labels[row]}. Does the number of classes match the list?'
        )
    present = np.unique(labels)
    if allow_empty_classes or present[-1] == len(present) - 1:
        return
    empty = int((present != np.arange(len(present))).argmax())
    raise DataError(
        f'{where} has no image of class {empty}, though its labels go up to {present[-1]} '
        f'({present[-1] + 1 - len(present)} classes are empty). Mend the list, or set allow_empty_classes=True if it '
        'is a subset.'
    )


def _rows_holding(data: NDArray[np.uint8], starts: NDArray, lengths: NDArray, mark: bytes) -> NDArray[np.int64]:
    """Rows whose path holds these bytes."""
    hits = data[: len(data) - len(mark) + 1] == mark[0]
    for place, byte in enumerate(mark[1:], start=1):
        hits &= data[place : len(data) - len(mark) + 1 + place] == byte
    positions = np.flatnonzero(hits)
    rows = np.searchsorted(starts, positions, side='right') - 1
    return rows[(rows >= 0) & (positions < starts[rows] + lengths[rows])]


def _hashes(data: NDArray[np.uint8], starts: NDArray, lengths: NDArray) -> NDArray[np.uint64]:
    """One number per path, taken from its bytes eight at a time; equal paths have equal numbers, shape ``(N,)``."""
    words = np.ndarray((len(data) - 7,), '<u8', buffer=data, strides=(1,))
    hashes = lengths.astype(np.uint64)
    rows = np.arange(len(starts))
    for place in range(0, int(lengths.max()), 8):
        rows = rows[lengths[rows] > place]
        spare = 8 * (8 - np.minimum(lengths[rows] - place, 8)).astype(np.uint64)
        mixed = (hashes[rows] ^ (words[starts[rows] + place] << spare)) * _MULTIPLIER
        hashes[rows] = mixed ^ (mixed >> np.uint64(32))
    return hashes
