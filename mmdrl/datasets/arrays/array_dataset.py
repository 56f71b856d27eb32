"""Images and labels of plain arrays as an MMPretrain data set.

The images of a ``.npz`` saved by ``numpy.savez``, or of a ``.npy``, are mapped into memory: all
processes share them, and only what is used stays in it.
"""

import os
from collections.abc import Hashable
from typing import Any

from mmdrl.datasets.arrays.array_file import read_arrays
from mmdrl.datasets.arrays.channel_order import ChannelOrder, checked_order, in_order
from mmdrl.datasets.arrays.mapped_images import MappedImages
from mmdrl.datasets.batches.device_images import checked_device
from mmdrl.datasets.columns import Column, ColumnDataset
from mmdrl.datasets.labels import check_labels
from mmdrl.registry import DATASETS


@DATASETS.register_module()
class ArrayDataset(ColumnDataset):
    """Images of one array; a sample has ``img`` (H, W, C) uint8, ``gt_label`` and ``sample_idx``.

    The images are there already: the pipeline starts without ``LoadImageFromFile``.

    Args:
        data_file: ``.npz`` file with ``images`` of shape ``(N, H, W, C)`` or ``(N, H, W)``, uint8, and
            ``labels`` of shape ``(N,)``, integer, from 0. Strings in ``class_names``, shape ``(K,)``,
            become ``metainfo['classes']`` unless the config names the classes. ``index``, shape ``(N,)``, may
            give the position of each image in the set that these were cut from. ``present``, shape ``(N,)``, bool, may
            say which images are there; the others are blank, and refused. Or a ``.npy`` file: the images.
        data_root: Folder of a relative ``data_file`` and ``labels_file``.
        labels_file: ``.npy`` file with the labels for a ``.npy`` of images.
        channel_order: Of images of three channels, which are RGB in the file. ``'bgr'`` hands them out as MMPretrain
            loads files: a model trained on these, with ``to_rgb=True``, then sees the same in an image file.
        images_on: Device that keeps a copy of all images, such as ``'cuda'``, where batches are then taken: needs a
            pipeline of PackInputs alone, ``num_workers=0`` and ``pin_memory=False``.
        **kwargs: Of :class:`mmpretrain.datasets.BaseDataset`, such as ``pipeline`` and ``test_mode``.

    Raises:
        ConfigError: If ``labels_file`` does not go with ``data_file``, or there is no such order.
        DataError: If a file is missing or is not what is described above. The pixels of an ``.npz`` are
            compared with its checksum; a ``.npy`` has none.
    """

    def __init__(
        self,
        data_file: str,
        data_root: str = '',
        labels_file: str = '',
        channel_order: ChannelOrder = 'rgb',
        images_on: str | None = None,
        **kwargs: Any,
    ):
        self.channel_order = checked_order(channel_order)
        self.images_on = None if images_on is None else checked_device(images_on)
        self.labels_file = os.path.join(data_root, labels_file) if labels_file else ''
        super().__init__(ann_file=data_file, data_root=data_root, **kwargs)

    def load_columns(self) -> dict[str, Column]:
        """The columns ``img`` and ``gt_label``."""
        arrays = read_arrays(self.ann_file, self.labels_file)
        if arrays.class_names is not None:
            self._metainfo.setdefault('classes', arrays.class_names)
        num_classes = len(self.CLASSES) if self.CLASSES is not None else None
        check_labels(arrays.labels, num_classes, where=f"'labels' of {self.labels_file or self.ann_file}")
        self._index, self._present = arrays.index, arrays.present
        return {'img': in_order(arrays.images, self.channel_order), 'gt_label': arrays.labels}

    def image_source(self) -> Hashable:
        """The file of the images."""
        return os.path.realpath(os.path.expanduser(self.ann_file))

    def extra_repr(self) -> list[str]:
        """The file, and whether its images are mapped."""
        body = [f'Data file: \t{self.ann_file}']
        if self._fully_initialized:
            images: Any = self._columns['img']
            is_mapped = isinstance(getattr(images, 'images', images), MappedImages)
            body.append(f'Images: \t{"mapped, shared by all processes" if is_mapped else "in memory"}')
        return body
