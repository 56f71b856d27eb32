"""Any list of ``path label`` lines as a data set.

Paths and labels stay two arrays; the full path of an image is put together when it is asked for. Broken images
are named, counted and, in training, replaced by another of their class (``broken_images.py``).
"""

import os
from collections.abc import Hashable
from typing import Any, cast

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.logging import MMLogger
from numpy.typing import NDArray

from mmdrl.datasets.columns import Column, ColumnDataset
from mmdrl.datasets.lists.broken_images import BrokenImages, fault_behind
from mmdrl.datasets.lists.layouts import nothing_found, probe_rows
from mmdrl.datasets.lists.path_lists import read_path_list
from mmdrl.datasets.lists.placed_paths import FolderPaths
from mmdrl.datasets.lists.shared_columns import PathColumn, SharedArray
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS


@DATASETS.register_module()
class ImageListDataset(ColumnDataset):
    """Images named by a list; a sample has ``img_path``, ``gt_label`` and ``sample_idx``.

    The pipeline begins with ``LoadImageFromFile``. The list is checked when it is read, the images when they are.

    Args:
        ann_file: List with ``path label`` lines, see :func:`mmdrl.datasets.lists.path_lists.read_path_list`.
        data_root: Folder of a relative ``ann_file`` and ``data_prefix``.
        data_prefix: Folder that the paths of the list are relative to.
        allow_empty_classes: Whether a class below the largest label may have no image, as in a list of a subset.
        check_images: Whether to look for the end of each JPEG and PNG before it is decoded: cv2 4 shows a truncated
            JPEG without an error, its lower part grey. Damage in the middle that still decodes is not noticed.
        max_broken: Broken images that training passes over before it stops; 0.1 % of the list, at least 10, if
            not given. Each training process counts its own. With ``test_mode`` the first one is an error.
        **kwargs: Of :class:`mmpretrain.datasets.BaseDataset`, such as ``pipeline``, ``classes`` and ``test_mode``.

    Raises:
        DataError: If the list is not right.
        ConfigError: If ``max_broken`` is below 0.
    """

    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        data_prefix: str | dict = '',
        allow_empty_classes: bool = False,
        check_images: bool = True,
        max_broken: int | None = None,
        **kwargs: Any,
    ):
        if max_broken is not None and max_broken < 0:
            raise ConfigError(f'max_broken must be at least 0, got {max_broken}.')
        self.allow_empty_classes = allow_empty_classes
        self.check_images = check_images
        self.max_broken = max_broken
        super().__init__(ann_file=ann_file, data_root=os.path.expanduser(data_root), data_prefix=data_prefix, **kwargs)

    def load_columns(self) -> dict[str, Column]:
        """``img_path`` and ``gt_label``."""
        paths, labels = self.read_annotations()
        self._broken = BrokenImages(len(labels), self.max_broken)
        return dict(img_path=self.image_paths(paths, labels), gt_label=SharedArray(labels))

    def image_source(self) -> Hashable:
        """The list and the folder of the images."""
        return os.path.abspath(self.ann_file), self.img_prefix

    @property
    def _paths(self) -> FolderPaths:
        """Column of full paths."""
        return cast(FolderPaths, self._columns['img_path'])

    @property
    def num_classes(self) -> int | None:
        """Number of classes, if they are named."""
        return None if self.CLASSES is None else len(self.CLASSES)

    def read_annotations(self) -> tuple[PathColumn, NDArray[np.int64]]:
        """Paths as they are listed and labels, shape ``(N,)``."""
        return read_path_list(self.ann_file, self.num_classes, allow_empty_classes=self.allow_empty_classes)

    def image_paths(self, paths: PathColumn, labels: NDArray[np.int64]) -> FolderPaths:
        """Column of full paths."""
        return FolderPaths(paths, self.img_prefix)

    @force_full_init
    def check_folder(self) -> None:
        """Look for a few images.

        Raises:
            DataError: If none of them exists, or with ``test_mode`` if one does not.
        """
        if self._paths.is_remote:
            return
        looked_for = [self._paths[row] for row in probe_rows(len(self._paths))]
        missing = [path for path in looked_for if not os.path.isfile(path)]
        if len(missing) == len(looked_for):
            raise nothing_found(self.ann_file, missing[:1])
        if missing:
            message = (
                f'{len(missing)} of {len(looked_for)} images of {self.ann_file} do not exist, such as {missing[0]}.'
            )
            if self.test_mode:
                raise DataError(f'{message} An evaluation must not leave any out.')
            MMLogger.get_current_instance().warning(message)

    @force_full_init
    def prepare_data(self, idx: int) -> Any:
        """Sample after the pipeline; None in training if the image is broken.

        Raises:
            DataError: If it is broken and ``test_mode`` is set, or if too many are.
        """
        position, row = self._find(idx)
        if self._broken.is_broken(row) and not self.test_mode:
            return None
        path = self._paths[row]
        reason = self._broken.truncation(row, path) if self.check_images else None
        if reason is None:
            try:
                return super().prepare_data(position)
            except Exception as error:
                reason = fault_behind(error, path)
                if reason is None:
                    raise
        if self.test_mode:
            raise DataError(
                f'{path} {reason}, and an evaluation must not leave an image out. Mend or replace the file.'
            )
        self._broken.note(row, path, reason)
        return None

    def broken_paths(self) -> list[str]:
        """Full paths of the images found broken so far by this process and its loader workers."""
        return [self._paths[row] for row in self._broken.rows()] if self._fully_initialized else []
