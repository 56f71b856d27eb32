"""What the published long-tailed sets of list files share: splits, layouts, and a check of their numbers."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.logging import MMLogger
from numpy.typing import NDArray

from mmdrl.datasets.lists.image_lists import ImageListDataset
from mmdrl.datasets.lists.path_lists import read_path_list
from mmdrl.datasets.lists.placed_paths import FolderPaths, Layouts, PlacedPaths
from mmdrl.datasets.lists.published import PUBLISHED, PublishedSplit, blob_hash, check_numbers
from mmdrl.datasets.lists.shared_columns import PathColumn
from mmdrl.errors import ConfigError, DataError


class PublishedListDataset(ImageListDataset):
    """One split of a published set; a subclass names the set and its layouts.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'``.
        data_root: Folder of lists and images.
        ann_file: List file; the published name of the split if not given.
        layout: How images are spread over folders, by name, ``'listed'`` for the paths as the list has them, or
            ``'auto'`` to find it by looking for a few images at the first access.
        check_numbers: Whether the list must have the published numbers of images, classes, and images of the
            largest and smallest class. That its content differs all the same is logged.
        **kwargs: Of :class:`mmdrl.datasets.ImageListDataset`; ``test_mode`` is on for all but ``'train'``.

    Raises:
        ConfigError: If there is no such split or layout.
        DataError: If the list is not right.
    """

    NAME: ClassVar[str]
    LAYOUTS: ClassVar[Layouts]

    def __init__(
        self,
        split: str = 'train',
        data_root: str = '',
        ann_file: str = '',
        layout: str = 'auto',
        check_numbers: bool = True,
        **kwargs: Any,
    ):
        splits = PUBLISHED[self.NAME]
        if split not in splits:
            raise ConfigError(f'{self.NAME}: split must be one of {tuple(splits)}, got {split!r}.')
        names = ('auto', 'listed', *self.LAYOUTS.by_name)
        if layout not in names:
            raise ConfigError(f'{self.NAME}: layout must be one of {names}, got {layout!r}.')
        self.split = split
        self.layout = layout
        self.check_numbers = check_numbers
        kwargs.setdefault('test_mode', split != 'train')
        super().__init__(ann_file or splits[split].list_name, data_root, **kwargs)

    @property
    def published(self) -> PublishedSplit:
        """What is known of this split."""
        return PUBLISHED[self.NAME][self.split]

    def read_annotations(self) -> tuple[PathColumn, NDArray[np.int64]]:
        """Paths as they are listed and labels, shape ``(N,)``, whose numbers are checked."""
        num_classes = self.published.classes if self.CLASSES is None and self.check_numbers else self.num_classes
        paths, labels = self.read_list(num_classes)
        if self.check_numbers:
            self._check_published(labels)
        return paths, labels

    def read_list(self, num_classes: int | None) -> tuple[PathColumn, NDArray[np.int64]]:
        """Paths as they are listed and labels, shape ``(N,)``, of whatever format ``ann_file`` has."""
        return read_path_list(self.ann_file, num_classes, allow_empty_classes=self.allow_empty_classes)

    def image_paths(self, paths: PathColumn, labels: NDArray[np.int64]) -> FolderPaths:
        """Column of full paths in the layout of the folder."""
        return PlacedPaths(paths, self.img_prefix, labels, self.LAYOUTS, self.layout, str(self.ann_file))

    def _check_published(self, labels: NDArray[np.int64]) -> None:
        """The numbers must be the published ones; another content with the same numbers is logged."""
        found = None if str(self.ann_file).endswith('.json') else blob_hash(Path(self.ann_file).read_bytes())
        wanted = self.published.git_blob
        try:
            check_numbers(labels, self.published, str(self.ann_file))
        except DataError as error:
            hashes = '' if found is None else f' Its git blob hash is {found}, that of the published list {wanted}.'
            raise DataError(
                f'{error}{hashes} Get the published list, or set check_numbers=False if you mean this one.'
            ) from None
        if found is not None and found != wanted:
            MMLogger.get_current_instance().info(
                f'{self.ann_file} has the published numbers but not the published content (git blob {found}, '
                f'published {wanted}): another path layout, or another choice of images.'
            )
