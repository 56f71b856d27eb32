"""CIFAR-10 and CIFAR-100 from what the folder has: one file of arrays, or the pickles as published.

The pickles are opened by a reader that admits arrays and plain containers only, and by what they hold
instead of by a checksum: copies without the names of the source files, which are around, hold the same images.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from mmengine.logging import MMLogger
from mmpretrain.datasets.categories import CIFAR10_CATEGORIES, CIFAR100_CATEGORIES
from numpy.typing import NDArray

from mmdrl.datasets.arrays.array_file import read_arrays
from mmdrl.datasets.arrays.array_pickle import read_array_pickle
from mmdrl.datasets.arrays.channel_order import ChannelOrder, checked_order, in_order
from mmdrl.datasets.batches.device_images import checked_device
from mmdrl.datasets.columns import Column, ColumnDataset
from mmdrl.datasets.labels import check_labels
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS

NumClasses = Literal[10, 100]
CIFARSplit = Literal['train', 'test']

_IMAGES = {'train': 50_000, 'test': 10_000}
_FOLDER = {10: 'cifar-10-batches-py', 100: 'cifar-100-python'}
_FILES = {
    (10, 'train'): [f'data_batch_{number}' for number in range(1, 6)],
    (10, 'test'): ['test_batch'],
    (100, 'train'): ['train'],
    (100, 'test'): ['test'],
}
_LABELS = {10: 'labels', 100: 'fine_labels'}


@DATASETS.register_module()
class CIFAR(ColumnDataset):
    """CIFAR-10 or CIFAR-100; a sample has ``img`` (32, 32, 3) uint8, ``gt_label`` and ``sample_idx``.

    Takes ``cifar100_train.npz`` (``images``, ``labels``, of a part of it also ``index`` or ``present``, see
    :class:`~mmdrl.datasets.ArrayDataset`) below ``data_root``, which all processes share, else the original
    ``cifar-100-python/train``, and the like for CIFAR-10 and the test split.

    Args:
        num_classes: 10 or 100.
        split: ``'train'`` (50,000 images) or ``'test'`` (10,000).
        data_root: Folder that holds one of the two.
        check_numbers: Whether the images per class must be those published.
        channel_order: ``'rgb'`` as published, or ``'bgr'`` as MMPretrain loads files: a model trained on these, with
            ``to_rgb=True``, then sees the same in an image file.
        images_on: Device that keeps a copy of all images, such as ``'cuda'``, where batches are then taken: needs a
            pipeline of PackInputs alone, ``num_workers=0`` and ``pin_memory=False``.
        lazy_init: Whether to leave reading the file to ``full_init()``.
        **kwargs: Of :class:`mmpretrain.datasets.BaseDataset`, such as ``pipeline`` and ``test_mode``.

    Raises:
        ConfigError: If there is no such set, split or order.
        DataError: If neither is there, or what is there is not CIFAR.
    """

    def __init__(
        self,
        num_classes: NumClasses = 100,
        split: CIFARSplit = 'train',
        data_root: str = 'data/cifar',
        check_numbers: bool = True,
        channel_order: ChannelOrder = 'rgb',
        images_on: str | None = None,
        lazy_init: bool = False,
        **kwargs: Any,
    ):
        _check_choice(num_classes, split)
        self.num_classes = num_classes
        self.split = split
        self.check_numbers = check_numbers
        self.channel_order = checked_order(channel_order)
        self.images_on = None if images_on is None else checked_device(images_on)
        super().__init__(ann_file='', data_root=data_root, lazy_init=True, **kwargs)
        self._metainfo.setdefault('classes', tuple(CIFAR10_CATEGORIES if num_classes == 10 else CIFAR100_CATEGORIES))
        if not lazy_init:
            self.full_init()

    def load_columns(self) -> dict[str, Column]:
        """The columns ``img`` and ``gt_label``."""
        root = Path(self.data_root).expanduser()
        array_file = root / f'cifar{self.num_classes}_{self.split}.npz'
        folder = root / _FOLDER[self.num_classes]
        if array_file.is_file():
            self.source = array_file
            arrays = read_arrays(array_file)
            images: Column = arrays.images
            labels = arrays.labels
            self._index, self._present = arrays.index, arrays.present
            if images[0].shape != (32, 32, 3):
                raise DataError(f'{array_file} must hold images of shape (32, 32, 3), got {images[0].shape}.')
        elif folder.is_dir():
            self.source = folder
            images, labels = read_cifar(folder, self.num_classes, self.split)
        else:
            raise DataError(
                f'Expected {array_file} or {folder}, found neither, seen from {Path.cwd()}: set data_root, or fetch '
                f'the data with `python tools/prepare_data.py cifar{self.num_classes} --root {self.data_root}`.'
            )
        check_labels(labels, self.num_classes, where=f'The labels of {self.source}')
        if self.check_numbers:
            _check_counts(labels, self.num_classes, self.split, self.source)
        hint = (
            '' if self.source == array_file else ' (in memory; workers would share the .npz of tools/prepare_data.py)'
        )
        MMLogger.get_current_instance().info(f'CIFAR-{self.num_classes} {self.split}: {self.source}{hint}')
        return {'img': in_order(images, self.channel_order), 'gt_label': labels}

    def image_source(self) -> Hashable:
        """The file or folder that was read, and the split."""
        return self.source.resolve(), self.split

    def extra_repr(self) -> list[str]:
        """What was read."""
        return [f'Read from: \t{self.source}'] if self._fully_initialized else [f'Data root: \t{self.data_root}']


def read_cifar(folder: Path, num_classes: NumClasses, split: CIFARSplit) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images ``(N, 32, 32, 3)`` in RGB and labels ``(N,)`` of the original pickles.

    Args:
        folder: ``cifar-10-batches-py`` or ``cifar-100-python``, or the folder above.
        num_classes: 10 or 100, with the fine labels.
        split: ``'train'`` or ``'test'``.

    Raises:
        ConfigError: If there is no such set or split.
        DataError: If a file is missing, truncated, wants more than arrays and plain containers, or does not
            hold one label for each row of 3072 bytes. The number of images is not looked at.
    """
    _check_choice(num_classes, split)
    below = folder / _FOLDER[num_classes]
    images, labels = [], []
    for name in _FILES[num_classes, split]:
        path = (below if below.is_dir() else folder) / name
        batch = read_array_pickle(path)
        pixels = batch.get('data')
        numbers = np.asarray(batch.get(_LABELS[num_classes]))
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
            found = f'{pixels.dtype} of shape {pixels.shape}' if isinstance(pixels, np.ndarray) else repr(pixels)[:80]
            raise DataError(f"'data' of {path} must be uint8 of shape (N, 3072), got {found}.")
        if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer) or len(numbers) != len(pixels):
            raise DataError(
                f"'{_LABELS[num_classes]}' of {path} must be one integer for each of {len(pixels)} images, "
                f'got {numbers.dtype} of shape {numbers.shape}.'
            )
        images.append(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        labels.append(numbers)
    return np.ascontiguousarray(np.concatenate(images)), np.concatenate(labels).astype(np.int64)


def _check_choice(num_classes: int, split: str) -> None:
    if num_classes not in get_args(NumClasses) or split not in get_args(CIFARSplit):
        raise ConfigError(
            f"CIFAR has num_classes 10 or 100 and split 'train' or 'test', got {num_classes!r} and {split!r}."
        )


def _check_counts(labels: NDArray[np.int64], num_classes: int, split: str, source: Path) -> None:
    counts = np.bincount(labels, minlength=num_classes)
    expected = _IMAGES[split] // num_classes
    wrong = counts != expected
    if wrong.any():
        label = int(wrong.argmax())
        raise DataError(
            f'CIFAR-{num_classes} has {expected:,} {split} images in each of {num_classes} classes, {source} has '
            f'{counts[label]:,} in class {label} and {len(labels):,} in all. Fetch it again, or set '
            'check_numbers=False if you mean this one.'
        )
