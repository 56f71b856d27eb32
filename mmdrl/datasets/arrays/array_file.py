"""Images and labels of one file of plain arrays.

Pickling is refused, so a file from a stranger can hold wrong numbers but no code. Images that lie in the file
as they are get mapped, see :mod:`mmdrl.datasets.arrays.mapped_images`; compressed ones are read into memory.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.logging import MMLogger
from numpy.typing import NDArray

from mmdrl.datasets.arrays.mapped_images import MappedImages, place_in_zip, read_header
from mmdrl.errors import ConfigError, DataError

_REMEDY = 'Object arrays and pickles are refused; save uint8 images and integer labels with numpy.savez.'


@dataclass
class ImageArrays:
    """What :func:`read_arrays` finds.

    Attributes:
        images: ``(N, H, W, C)`` uint8, mapped or in memory.
        labels: ``(N,)``.
        class_names: ``(K,)``, or None.
        index: Position of each image in the set it was cut from, ``(N,)``, or None.
        present: Which images the file holds, ``(N,)``, where the others are blank; None: all.
    """

    images: MappedImages | NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...] | None = None
    index: NDArray[np.int64] | None = None
    present: NDArray[np.bool_] | None = None


def read_arrays(data_file: str | Path, labels_file: str | Path = '') -> ImageArrays:
    """Images, labels and what else a ``.npz`` holds, or the images of a ``.npy`` with the labels of another.

    Raises:
        ConfigError: If ``labels_file`` is missing for a ``.npy`` or given for a ``.npz``.
        DataError: If a file is missing, is of another kind, truncated or corrupt, needs pickling, lacks an array, or
            holds one of another type or shape.
    """
    path = _existing(data_file)
    if path.suffix == '.npy':
        if not labels_file:
            raise ConfigError(f'{path} holds images only: give labels_file, a .npy of their labels, or use a .npz.')
        labels_path = _existing(labels_file)
        try:
            images: MappedImages | NDArray[np.uint8] = _map_npy(path)
            labels = np.load(labels_path, allow_pickle=False)
        except DataError:
            raise
        except Exception as error:  # what a damaged header raises depends on where it is damaged
            raise DataError(
                f'{path} or {labels_path} cannot be read as a .npy of plain numbers ({error}). {_REMEDY}'
            ) from error
        if not isinstance(labels, np.ndarray):
            raise DataError(f'labels_file must be a .npy of labels, but {labels_path} holds several arrays.')
        arrays = {'labels': labels}
        where = str(labels_path)
    else:
        if labels_file:
            raise ConfigError(f'{path} has its labels inside: labels_file is for a .npy, got {labels_file}.')
        try:
            images, arrays = _read_npz(path)
        except DataError:
            raise
        except Exception as error:  # as above
            raise DataError(f'{path} cannot be read as an .npz of plain arrays ({error}). {_REMEDY}') from error
        where = str(path)
    return _checked(images, arrays, path, where)


def _existing(name: str | Path) -> Path:
    path = Path(name).expanduser()
    if not os.path.isfile(path):  # which a name too long is not, either
        raise DataError(f'There is no data file {path}. Are data_root and data_file right, relative to here?')
    return path


def _map_npy(path: Path) -> MappedImages:
    with path.open('rb') as file:
        dtype, shape, order = read_header(file)
        offset = file.tell()
    _check_images(dtype, shape, path)
    return MappedImages(path, offset, shape, order)


def _read_npz(path: Path) -> tuple[MappedImages | NDArray[np.uint8], dict[str, NDArray]]:
    """The images, and the other arrays of an ``.npz`` by name."""
    archive = np.load(path, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(f'{path} holds a single array; save images and labels with numpy.savez.')
    with archive:
        for key in ('images', 'labels'):
            if key not in archive:
                raise DataError(f"{path} must hold an array '{key}'; it holds {archive.files or 'nothing'}.")
        arrays = {key: archive[key] for key in ('labels', 'class_names', 'index', 'present') if key in archive}
        for key, array in arrays.items():
            if not isinstance(array, np.ndarray):  # NumPy gives the bytes of what is no array
                raise DataError(f'{path} cannot be read: expected {key!r} as an array, got other bytes. {_REMEDY}')
        place = place_in_zip(path, 'images')
        if place is not None:
            dtype, shape, order, offset = place
            _check_images(dtype, shape, path)
            return MappedImages(path, offset, shape, order), arrays
        images = archive['images']
    _check_images(images.dtype, images.shape, path)
    MMLogger.get_current_instance().info(
        f'{path} is compressed, so its {images.nbytes / 2**20:.0f} MiB of images are read into memory, and again '
        'by every worker that is spawned; saved with numpy.savez all would share them.'
    )
    return images if images.ndim == 4 else images[..., np.newaxis], arrays


def _check_images(dtype: np.dtype, shape: tuple[int, ...], path: Path) -> None:
    if dtype != np.uint8 or len(shape) not in (3, 4):
        raise DataError(
            f"'images' of {path} must be uint8 of shape (N, H, W, C) or (N, H, W), got {dtype} of shape {shape}."
        )
    if 0 in shape:
        raise DataError(f'{path} must hold at least one image, of at least one pixel, got shape {shape}.')


def _checked(
    images: MappedImages | NDArray[np.uint8], arrays: dict[str, NDArray], path: Path, where: str
) -> ImageArrays:
    labels, names, index = arrays['labels'], arrays.get('class_names'), arrays.get('index')
    for key, numbers in (('labels', labels), ('index', index)):
        if numbers is None:
            continue
        if not np.issubdtype(numbers.dtype, np.integer) or numbers.ndim != 1:
            raise DataError(
                f"'{key}' of {where} must be integers of shape (N,), got {numbers.dtype} of shape {numbers.shape}."
            )
        if len(images) != len(numbers):
            raise DataError(
                f"'{key}' of {where} must hold one number per image, got {len(images)} images and {len(numbers)} {key}."
            )
    if index is not None:
        positions, counts = np.unique(index, return_counts=True)
        if positions[0] < 0 or (counts > 1).any():
            wrong = positions[0] if positions[0] < 0 else positions[counts.argmax()]
            raise DataError(
                f"'index' of {path} must hold different positions of at least 0, got {wrong} "
                f'{counts[positions == wrong][0]} times ({int((counts - 1).sum())} repeated, '
                f'{int((index < 0).sum())} below 0).'
            )
    present = arrays.get('present')
    if present is not None and (present.dtype != np.bool_ or present.shape != labels.shape or not present.any()):
        raise DataError(
            f"'present' of {path} must be True or False for each of {len(labels)} images, True for one at least, got "
            f'{present.dtype} of shape {present.shape} with {np.count_nonzero(present)} that are not 0.'
        )
    if names is not None and (names.dtype.kind != 'U' or names.ndim != 1):
        raise DataError(
            f"'class_names' of {path} must be strings of shape (K,), got {names.dtype} of shape {names.shape}."
        )
    return ImageArrays(
        images,
        labels.astype(np.int64),
        None if names is None else tuple(names.tolist()),
        None if index is None else index.astype(np.int64),
        present,
    )
