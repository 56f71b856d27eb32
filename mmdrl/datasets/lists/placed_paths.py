"""Columns of full paths, each put together when it is asked for: nothing is joined or looked up at loading."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.lists.layouts import LISTED, Layout, Place, class_folders, find_layout, probe_rows
from mmdrl.datasets.lists.shared_columns import PathColumn, SharedArray


class FolderPaths:
    """Paths of a list below one folder.

    Args:
        paths: As they are listed.
        folder: Path or address.
    """

    def __init__(self, paths: PathColumn, folder: str):
        self.paths = paths
        self.folder = folder

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> str:
        return self.join(self.paths[row])

    def join(self, path: str) -> str:
        """Path below the folder."""
        return f'{self.folder.rstrip("/")}/{path}' if self.is_remote else os.path.join(self.folder, path)

    @property
    def is_remote(self) -> bool:
        """Whether the folder is an address, in which files cannot be looked for."""
        return '://' in self.folder


@dataclass(frozen=True)
class Layouts:
    """The layouts in which a set is spread, by functions of a module, which a spawned worker can be sent.

    Attributes:
        by_name: Layouts by name.
        place: Takes a row of any layout apart; None if it is of no layout.
        num_classes: Of the published set.
        order: Sort key that puts class folders in the order of the labels; None: alphabetical.
    """

    by_name: dict[str, Layout]
    place: Callable[[str], Place | None]
    num_classes: int
    order: Callable[[str], Any] | None = None


class PlacedPaths(FolderPaths):
    """Paths of a list in the layout that the folder has.

    Args:
        paths: As they are listed.
        folder: Path or address.
        labels: Shape ``(N,)``.
        layouts: What the folder may look like.
        layout: Name of one of them, ``'listed'`` for the paths as they are, or ``'auto'``, which finds it at the
            first access.
        where: The list, for messages.
    """

    def __init__(
        self, paths: PathColumn, folder: str, labels: NDArray[np.int64], layouts: Layouts, layout: str, where: str
    ):
        super().__init__(paths, folder)
        self._labels = SharedArray(labels)
        self._layouts = layouts
        self._where = where
        self._layout = LISTED if layout == 'auto' and self.is_remote else layout
        self._class_folders: dict[str, list[str]] = {}

    def __getitem__(self, row: int) -> str:
        return self._path_in(self.layout, row)

    @property
    def layout(self) -> str:
        """Name of the layout, looked for if not known yet.

        Raises:
            DataError: If the folder has none of them.
        """
        if self._layout == 'auto':
            candidates = {name: partial(self._path_in, name) for name in (LISTED, *self._layouts.by_name)}
            self._layout = find_layout(candidates, probe_rows(len(self)), self._where)
        return self._layout

    def _path_in(self, name: str, row: int) -> str:
        listed = self.paths[row]
        place = None if name == LISTED else self._layouts.place(listed)
        if place is None:
            return self.join(listed)
        layout = self._layouts.by_name[name]
        folder = place.folder
        if folder is None and place.part in layout.class_parts:
            folder = self._folders(place.part)[self._labels[row]]
        return self.join(layout.path(place.part, folder or '', place.name))

    def _folders(self, part: str) -> list[str]:
        if part not in self._class_folders:
            counts = (self._layouts.num_classes, int(self._labels[:].max()) + 1)
            self._class_folders[part] = class_folders(self.join(part), counts, self._layouts.order)
        return self._class_folders[part]
