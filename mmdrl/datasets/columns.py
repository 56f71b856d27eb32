"""Data sets whose annotations are columns: one array per field instead of one dict per sample.

MMEngine keeps a pickled dict for every sample and, to tell the labels, unpickles them all. A column costs
what its numbers cost, labels are there at once, and worker processes share the arrays: reading them touches
no reference count, so nothing is copied after a fork.
"""

from collections.abc import Hashable, Iterator, Sequence
from copy import deepcopy
from typing import Any, Protocol

import numpy as np
from mmengine.dataset import force_full_init
from mmpretrain.datasets import BaseDataset
from numpy.typing import NDArray

from mmdrl.datasets.batches import GivesBatches, ImageBatch, keeps_ways_of
from mmdrl.datasets.batches.absent_images import refuse_absent
from mmdrl.datasets.batches.device_images import DeviceImages
from mmdrl.datasets.batches.fetch import OWN_WAYS, column_batch, common_metainfo
from mmdrl.datasets.batches.parents_images import KnownImages
from mmdrl.errors import ConfigError, DataError


class Column(Protocol):
    """One field of all samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> Any: ...


class ColumnDataset(GivesBatches, BaseDataset):
    """An MMPretrain data set that is read by :meth:`load_columns`; ``serialize_data`` has nothing to do here.

    A sample that the pipeline cannot give (it returns None) is replaced by the next one of its class, so that
    neither the balance of a sampler nor the classes of a batch change; in ``test_mode`` it is an error.

    Images that are one array are fetched by the batch where the pipeline leaves them as they are.

    Attributes:
        images_on: Device that keeps the images and gives batches of them; None: they come out of memory or a file.
    """

    _columns: dict[str, Column]
    _rows: NDArray[np.int64] | None  # None: all, in order
    _index: NDArray[np.int64] | None = None
    _present: NDArray[np.bool_] | None = None  # None: every row has its image
    _fully_initialized: bool
    _on_device: DeviceImages | None = None
    _known_images: KnownImages
    images_on: str | None = None

    def load_columns(self) -> dict[str, Column]:
        """Columns of equal length by field; ``gt_label``, shape ``(N,)``, int64, is one of them."""
        raise NotImplementedError(f'{type(self).__name__} must write load_columns().')

    def image_source(self) -> Hashable:
        """What the rows of the columns number: data sets of equal sources share their images.

        Here the columns themselves, which subsets share. A data set that reads the same rows from the same
        file whenever it is built can answer with the name of that file.
        """
        return id(self._columns)

    @property
    @force_full_init
    def index(self) -> NDArray[np.int64] | None:
        """Position of each image in the set it was cut from, shape ``(N,)``; None if the data do not say."""
        return None if self._index is None else self._index[self.rows()]

    def full_init(self) -> None:
        """Read the columns, if that is still to do."""
        if self._fully_initialized:
            return
        self._columns = self.load_columns()
        self._rows = None
        if self._indices is not None:
            self._rows = self._chosen(self._indices)
        self._known_images = KnownImages(self._columns.get('img'))
        self._fully_initialized = True
        if self.images_on is not None:
            self._on_device = DeviceImages(self._columns['img'], self.images_on, self.gives_batches())

    @force_full_init
    def __len__(self) -> int:
        return len(self._columns['gt_label'] if self._rows is None else self._rows)

    @force_full_init
    def rows(self) -> NDArray[np.int64]:
        """Row in the columns of every sample, shape ``(N,)``."""
        return np.arange(len(self._columns['gt_label'])) if self._rows is None else self._rows

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Fields of one sample, the caller's own, and its position as ``sample_idx``."""
        position, row = self._find(idx)
        refuse_absent(self, row)
        info = {field: _own(column[row]) for field, column in self._columns.items()}
        return dict(info, sample_idx=position)

    @force_full_init
    def get_gt_labels(self) -> NDArray[np.int64]:
        """Labels, shape ``(N,)``; read-only, as they may be the data set's own."""
        labels = np.asarray(self._columns['gt_label'])
        view = labels.view() if self._rows is None else labels[self._rows]
        view.flags.writeable = False
        return view

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Label of one sample, in a list as MMEngine's wrappers want it."""
        return [int(self._columns['gt_label'][self._find(idx)[1]])]

    @force_full_init
    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep these samples only: so many from the start, from the end if below 0, or those at the positions."""
        self._rows = self._chosen(indices)

    @force_full_init
    def get_subset(self, indices: int | Sequence[int]) -> 'ColumnDataset':
        """The same as a data set of its own, which shares the columns."""
        subset = self._copy_without_annotation()
        subset._rows = self._chosen(indices)
        return subset

    def __getitem__(self, idx: int) -> Any:
        data = self.prepare_data(idx)
        if data is not None:
            return data
        if self.test_mode:
            raise DataError(f'The pipeline gave nothing for image {idx}, and an evaluation must not leave any out.')
        labels = self.get_gt_labels()
        for position in same_class_after(labels, idx):
            data = self.prepare_data(position)
            if data is not None:
                return data
        raise DataError(f'The pipeline gave nothing for any image of class {labels[idx]}.')

    def gives_batches(self) -> bool:
        """Whether the images are one array and the pipeline leaves them as they are, so that batches come whole."""
        self.full_init()
        return keeps_ways_of(self, ColumnDataset, OWN_WAYS) and common_metainfo(self) is not None

    def whole_batch(self, positions: NDArray[np.int64], seeds: NDArray[np.int64] | None = None) -> ImageBatch:
        """Samples at these positions from 0, with the seeds of their random numbers, if :meth:`gives_batches`."""
        return column_batch(self, positions, seeds)

    def _find(self, idx: int) -> tuple[int, int]:
        """Position and row of a sample; an index below 0 counts from the end, one too large raises."""
        position = range(len(self))[idx]
        return position, position if self._rows is None else int(self._rows[position])

    def _chosen(self, indices: int | Sequence[int]) -> NDArray[np.int64]:
        """Rows of the chosen samples."""
        rows = np.arange(len(self._columns['gt_label'])) if self._rows is None else self._rows
        if isinstance(indices, (int, np.integer)) and not isinstance(indices, bool):
            return rows[:indices] if indices >= 0 else rows[indices:]
        positions = np.asarray(indices)
        if positions.ndim != 1 or not (positions.size == 0 or np.issubdtype(positions.dtype, np.integer)):
            raise ConfigError(f'indices must be a number of images or a list of positions, got {indices!r:.80}.')
        is_outside = (positions < -len(rows)) | (positions >= len(rows))
        if is_outside.any():
            raise ConfigError(
                f'indices must be positions of the {len(rows)} images, got {positions[is_outside.argmax()]} '
                f'({int(is_outside.sum())} of {len(positions)} are outside).'
            )
        return rows[positions.astype(np.int64)]

    def _copy_without_annotation(self, memo: dict | None = None) -> 'ColumnDataset':
        return deepcopy(self, {id(self._columns): self._columns, **(memo or {})})  # columns are never written to


def same_class_after(labels: NDArray[np.int64], position: int) -> Iterator[int]:
    """Positions of the other samples of the same class, from the next one on and around to the start.

    Args:
        labels: Shape ``(N,)``.
        position: Of the sample to replace; below 0 from the end.
    """
    position = range(len(labels))[position]
    alike = np.flatnonzero(labels == labels[position])
    here = int(np.searchsorted(alike, position))
    yield from np.roll(alike, -here)[1:].tolist()


def _own(value: Any) -> Any:
    """A Python number or a writable copy in memory, so that a pipeline cannot change the data set."""
    if isinstance(value, np.generic):
        return value.item()
    return np.array(value) if isinstance(value, np.ndarray) else value
