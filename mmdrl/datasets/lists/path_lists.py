"""Lists of images, one ``path label`` per line, read at once and without a loop over the lines.

The bytes of the file stay as they are; what is kept besides is where each path begins and ends. A list is
somebody else's file, so its paths must lie below the folder of the images (``path_checks.py``).
"""

import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.lists.path_checks import MAX_LENGTH, check_classes, check_different, check_inside
from mmdrl.datasets.lists.shared_columns import PathColumn
from mmdrl.errors import DataError

MAX_DIGITS = 9
BYTE_ORDER_MARK = b'\xef\xbb\xbf'
PADDING = 8  # zero bytes behind the last path: words of eight bytes are read from any position
_IS_BLANK = np.isin(np.arange(256), np.frombuffer(b' \t\r', np.uint8))
_IS_SPACE = np.isin(np.arange(256), np.frombuffer(b' \t', np.uint8))


def read_path_list(
    path: str | Path, num_classes: int | None = None, *, allow_empty_classes: bool = False
) -> tuple[PathColumn, NDArray[np.int64]]:
    """Paths and labels of a list with ``path label`` lines.

    The label is what follows the last space or tab, so a path may hold spaces. Windows line ends, blank lines at
    the end and a missing last line end are fine.

    Args:
        path: List file, UTF-8.
        num_classes: K; labels must lie below it.
        allow_empty_classes: Whether a class below the largest label may have no image, as in a list of a subset.

    Returns:
        Paths as they are written, N of them, and labels, shape ``(N,)``.

    Raises:
        DataError: If the file is missing or holds nothing, a line is malformed, a path leads out of the folder of
            the images, an image occurs twice, or a class is unknown or empty. The message names the line.
    """
    paths, labels = parse_path_list(read_bytes(path), str(path))
    check_inside(paths, str(path))
    check_different(paths, str(path))
    check_classes(labels, num_classes, str(path), allow_empty_classes=allow_empty_classes)
    return paths, labels


def read_bytes(path: str | Path) -> bytes:
    """Content of an annotation file.

    Raises:
        DataError: If there is no such file, or it cannot be read.
    """
    path = Path(path).expanduser()
    if not os.path.isfile(path):  # which a name too long is not, either
        raise DataError(
            f'Expected a list file at {path}, found none. Are data_root and ann_file right, relative to here?'
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f'{path} cannot be read: {error.strerror}.') from error


def parse_path_list(content: bytes | bytearray, where: str, unit: str = 'line') -> tuple[PathColumn, NDArray[np.int64]]:
    """Paths and labels of ``path label`` rows, which need only be well formed.

    Args:
        content: The rows, UTF-8.
        where: What holds them, for messages.
        unit: What a row is called in messages.

    Raises:
        DataError: If there is no row, or one is malformed; the message names it.
    """
    content = content.removeprefix(BYTE_ORDER_MARK)
    _check_text(content, where, unit)
    data = np.frombuffer(bytearray(content + bytes(PADDING)), np.uint8)  # writable, as torch wants it
    breaks = np.flatnonzero(data == ord('\n'))
    starts, stops = np.append(0, breaks + 1), np.append(breaks, len(data) - PADDING)
    _strip(data, starts, stops, _IS_BLANK)
    filled = np.flatnonzero(stops > starts)
    if len(filled) == 0:
        raise DataError(f'Expected "path label" rows in {where}, found none.')
    starts, stops = starts[: filled[-1] + 1], stops[: filled[-1] + 1]
    labels, digits = _trailing_numbers(data, stops)
    ends = stops - digits
    is_good = (digits > 0) & (digits <= MAX_DIGITS) & (ends > starts) & _IS_SPACE[data[ends - 1]]
    ends = np.where(is_good, ends, stops)
    _strip(data, starts, ends, _IS_SPACE)
    is_good &= ends - starts <= MAX_LENGTH
    is_good[_rows_with(data, starts, ends, b'\r\0')] = False
    if not is_good.all():
        bad = int((~is_good).argmax())
        text = content[starts[bad] : stops[bad]].decode(errors='replace')
        raise DataError(f'{where}, {unit} {bad + 1}: {_reason(text)}, got {text[:80]!r}.')
    return PathColumn(data, starts, ends - starts), labels


def _check_text(content: bytes | bytearray, where: str, unit: str) -> None:
    """The rows must be UTF-8."""
    if content.isascii():
        return
    try:
        content.decode()
    except UnicodeDecodeError as error:
        row = content.count(b'\n', 0, error.start) + 1
        raise DataError(
            f'{where}, {unit} {row}: expected text in UTF-8, got {error.object[error.start]:#04x}.'
        ) from None


def _strip(data: NDArray[np.uint8], starts: NDArray, stops: NDArray, is_blank: NDArray[np.bool_]) -> None:
    """Move starts and stops over blanks, in place."""
    rows = np.arange(len(starts))
    while len(rows := rows[(stops[rows] > starts[rows]) & is_blank[data[stops[rows] - 1]]]):
        stops[rows] -= 1
    rows = np.arange(len(starts))
    while len(rows := rows[(stops[rows] > starts[rows]) & is_blank[data[starts[rows]]]]):
        starts[rows] += 1


def _trailing_numbers(data: NDArray[np.uint8], stops: NDArray) -> tuple[NDArray, NDArray]:
    """Number at the end of each row and how many digits it has, of which at most ten are read; both ``(N,)``."""
    numbers, digits = np.zeros(len(stops), np.int64), np.zeros(len(stops), np.int64)
    rows = np.arange(len(stops))
    for place in range(MAX_DIGITS + 1):
        # Before a row there is a line end or a blank, before the first the last byte of all, which is padding.
        values = data[stops[rows] - 1 - place] - np.uint8(ord('0'))  # what lies below '0' wraps around
        is_digit = values < 10
        rows = rows[is_digit]
        numbers[rows] += values[is_digit] * np.int64(10**place)
        digits[rows] += 1
    return numbers, digits


def _rows_with(data: NDArray[np.uint8], starts: NDArray, ends: NDArray, unwanted: bytes) -> NDArray[np.int64]:
    """Rows whose path has one of these bytes."""
    positions = np.concatenate([np.flatnonzero(data[:-PADDING] == byte) for byte in unwanted])
    rows = np.searchsorted(starts, positions, side='right') - 1
    return rows[(rows >= 0) & (positions < ends[rows])]


def _reason(text: str) -> str:
    """What is wrong with a malformed row."""
    words = text.split()
    if len(words) > 1 and re.fullmatch(r'-\d+', words[-1]):
        return 'a label must be at least 0'
    if len(words) > 1 and re.fullmatch(rf'\d{{{MAX_DIGITS + 1},}}', words[-1], re.ASCII):
        return f'a label must have at most {MAX_DIGITS} digits'
    if re.search(r'[\r\0]', text):
        return 'a path must not hold control characters'
    if len(text) > MAX_LENGTH:
        return f'a path must have at most {MAX_LENGTH} bytes'
    return 'expected "path label" with the label a number from 0'
