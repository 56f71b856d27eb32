"""Images and labels of one ``.npz`` file as an MMPretrain data set.

The file holds ``images`` and ``labels`` and, if wanted, ``class_names``. It is read with pickling
refused, so a file from a stranger can hold wrong numbers but no code.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from mmpretrain.datasets import BaseDataset
from numpy.typing import NDArray

from mmdrl.datasets.labels import check_labels
from mmdrl.errors import DataError
from mmdrl.registry import DATASETS


@DATASETS.register_module()
class ArrayDataset(BaseDataset):
    """Images of an ``.npz`` file; a sample has ``img`` (H, W, C) uint8, ``gt_label`` and ``sample_idx``.

    The images are in memory already: the pipeline starts without ``LoadImageFromFile``.

    Args:
        data_file: ``.npz`` file with ``images`` of shape ``(N, H, W, C)`` or ``(N, H, W)``, uint8, and
            ``labels`` of shape ``(N,)``, integer, from 0. Strings in ``class_names``, shape ``(K,)``,
            become ``metainfo['classes']`` unless the config names the classes.
        data_root: Folder of a relative ``data_file``.
        **kwargs: Of :class:`mmpretrain.datasets.BaseDataset`, such as ``pipeline`` and ``test_mode``.

    Raises:
        DataError: If the file is missing or is not what is described above.
    """

    def __init__(self, data_file: str, data_root: str = '', **kwargs: Any):
        super().__init__(ann_file=data_file, data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One dict with ``img`` and ``gt_label`` per image."""
        images, labels, class_names = read_arrays(self.ann_file)
        if class_names is not None:
            self._metainfo.setdefault('classes', class_names)
        num_classes = len(self.CLASSES) if self.CLASSES is not None else None
        check_labels(labels, num_classes, where=f"'labels' of {self.ann_file}")
        return [dict(img=image, gt_label=label) for image, label in zip(images, labels.tolist(), strict=True)]


def read_arrays(
    data_file: str | Path,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...] | None]:
    """Images ``(N, H, W, C)``, labels ``(N,)`` and class names (None if the file has none) of an ``.npz``.

    Raises:
        DataError: If the file is missing, is no ``.npz``, needs pickling, lacks an array, or holds one
            of another type or shape.
    """
    path = Path(data_file).expanduser()
    if not path.is_file():
        raise DataError(f'There is no data file {path}. Are data_root and data_file right, relative to here?')
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f'{path} holds a single array; save images and labels with numpy.savez.')
        with archive:
            arrays = {key: archive[key] for key in ('images', 'labels', 'class_names') if key in archive}
            stored = archive.files
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f'{path} cannot be read as an .npz of plain arrays ({error}). Object arrays and pickles are '
            'refused; save uint8 images and integer labels with numpy.savez.'
        ) from error
    for key in ('images', 'labels'):
        if key not in arrays:
            raise DataError(f"{path} must hold an array '{key}'; it holds {stored or 'nothing'}.")
    images, labels, names = arrays['images'], arrays['labels'], arrays.get('class_names')
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(
            f"'images' of {path} must be uint8 of shape (N, H, W, C) or (N, H, W), "
            f'got {images.dtype} of shape {images.shape}.'
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1:
        raise DataError(
            f"'labels' of {path} must be integers of shape (N,), got {labels.dtype} of shape {labels.shape}."
        )
    if len(images) != len(labels) or len(images) == 0:
        raise DataError(
            f'{path} must hold one label per image and at least one image, '
            f'got {len(images)} images and {len(labels)} labels.'
        )
    if names is not None and (names.dtype.kind != 'U' or names.ndim != 1):
        raise DataError(
            f"'class_names' of {path} must be strings of shape (K,), got {names.dtype} of shape {names.shape}."
        )
    if images.ndim == 3:
        images = images[..., np.newaxis]
    return images, labels.astype(np.int64), None if names is None else tuple(names.tolist())
