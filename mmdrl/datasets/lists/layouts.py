"""Where the images of a list lie: published sets are spread under several folder layouts.

A row of a list is taken apart into part, class folder and file name, from which every layout writes its own
path. Which layout a folder has is found by looking for a few images; no file is looked for beyond these.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmdrl.errors import DataError

PROBES = 16
LISTED = 'listed'  # the layout of the list itself


class Place(NamedTuple):
    """What a row tells about an image, whatever the layout.

    Attributes:
        part: Such as ``'train'`` or ``'val'``.
        folder: Of the class; None if the row does not say.
        name: Of the file.
    """

    part: str
    folder: str | None
    name: str


class Layout(NamedTuple):
    """One way to spread the images over folders.

    Attributes:
        path: Path of an image from its part, the folder of its class and its name.
        class_parts: Parts whose path needs the folder of the class.
    """

    path: Callable[[str, str, str], str]
    class_parts: tuple[str, ...]


def probe_rows(num_rows: int) -> list[int]:
    """A few rows spread evenly over a list, first and last among them."""
    return np.unique(np.linspace(0, num_rows - 1, PROBES).astype(int)).tolist()


def find_layout(candidates: Mapping[str, Callable[[int], str]], rows: Sequence[int], where: str) -> str:
    """Name of the layout in which most of these rows exist as files.

    Args:
        candidates: Function from the row to the full path, by name of the layout.
        rows: Rows to look for.
        where: The list, for messages.

    Raises:
        DataError: If no row exists in any layout; the message names the paths that were looked for.
    """
    found: dict[str, int] = {}
    missed: list[str] = []
    reasons: list[str] = []
    for name, path_of in candidates.items():
        try:
            paths = [path_of(row) for row in rows]
        except DataError as error:
            reasons.append(str(error))
            continue
        found[name] = sum(map(os.path.isfile, paths))
        missed.append(paths[0])
    best = max(found, key=lambda name: found[name], default=None)
    if best is None or found[best] == 0:
        raise nothing_found(where, missed, reasons)
    return best


def nothing_found(where: str, missed: Sequence[str], reasons: Sequence[str] = ()) -> DataError:
    """The error for a folder that has none of the images looked for.

    Args:
        where: The list.
        missed: Paths that were looked for.
        reasons: Sentences about layouts that could not be looked for.
    """
    sentences = (
        f'None of the images looked for of {where} exists: expected {", or ".join(dict.fromkeys(missed))}.',
        *reasons,
        'Do data_root and data_prefix fit, and are the images unpacked?',
    )
    return DataError(' '.join(sentences))


def class_folders(
    folder: str | Path, num_classes: Sequence[int], order: Callable[[str], Any] | None = None
) -> list[str]:
    """Names of the class folders by label, for lists that do not tell them.

    Args:
        folder: Folder with one folder per class.
        num_classes: How many there may be.
        order: Sort key that puts the names in the order of the labels; alphabetical if not given.

    Raises:
        DataError: If there are not so many.
    """
    folder = Path(folder)
    names = sorted((entry.name for entry in os.scandir(folder) if entry.is_dir()), key=order) if folder.is_dir() else []
    if len(names) not in num_classes:
        raise DataError(f'Expected {num_classes[0]} class folders in {folder}, found {len(names)}.')
    return names
