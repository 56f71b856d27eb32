"""CIFAR-10 and CIFAR-100 as two ``.npz`` files each, made from the archive of their authors.

Whatever is there is used before anything is fetched: the ``.npz`` files, then the unpacked archive, then the
archive.
"""

import hashlib
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mmpretrain.datasets.categories import CIFAR10_CATEGORIES, CIFAR100_CATEGORIES
from numpy.typing import NDArray

from mmdrl.datasets.arrays.array_file import read_arrays
from mmdrl.datasets.arrays.cifar import read_cifar
from mmdrl.datasets.preparation.archives import unpack
from mmdrl.datasets.preparation.files import RemoteFile, disk_errors, file_digest, is_noted, new_file, note
from mmdrl.datasets.preparation.result import Fetch, Prepared
from mmdrl.errors import DataError
from mmdrl.stats import long_tail_counts

SPLITS: tuple[Literal['train', 'test'], ...] = ('train', 'test')
IMAGES = {'train': 50_000, 'test': 10_000}
RATIOS = (10, 50, 100)
CLASS_NAMES = {10: CIFAR10_CATEGORIES, 100: CIFAR100_CATEGORIES}
# sha256 of the pixels as one (N, 32, 32, 3) uint8 array. The published hashes are of the pickles.
PIXELS = {
    'cifar100_train.npz': '4e457917601a66aed021f5fa37957b56c6319557c0a8ed5484de3c390af45430',
    'cifar100_test.npz': '4cb8e5d9309da489bf6b19cc10cd96c3ae6f8daf225380b605aaee4c0d6aee19',
}


def prepare_cifar(num_classes: Literal[10, 100], root: Path, fetch: Fetch) -> Prepared:
    """Make ``cifar<K>_train.npz`` and ``cifar<K>_test.npz`` in ``root``, with images, labels and class names.

    Returns:
        The counts of the training set and, by the formula, of its long-tailed versions.

    Raises:
        DataError: If an archive or pickle is missing or damaged, or an ``.npz`` that is there does not hold the set.
    """
    prepared = Prepared(class_names=CLASS_NAMES[num_classes])
    for split in SPLITS:
        path = root / f'cifar{num_classes}_{split}.npz'
        if not os.path.lexists(path):
            _build(num_classes, split, root, path, fetch, prepared)
        _check(num_classes, split, path, prepared)
    largest = IMAGES['train'] // num_classes
    name = f'CIFAR-{num_classes}'
    prepared.counts[name] = np.full(num_classes, largest)
    for ratio in RATIOS:
        prepared.counts[f'{name}-LT, ratio {ratio}'] = long_tail_counts(num_classes, largest, ratio)
    return prepared


def _build(
    num_classes: Literal[10, 100],
    split: Literal['train', 'test'],
    root: Path,
    path: Path,
    fetch: Fetch,
    prepared: Prepared,
) -> None:
    source = _torchvision_class(num_classes)
    folder = root / source.base_folder
    if not folder.exists():
        unpack(fetch(RemoteFile(source.url, source.tgz_md5)), root)
    for name, md5 in source.train_list if split == 'train' else source.test_list:
        if (folder / name).is_file() and file_digest(folder / name, 'md5') != md5:
            prepared.notes.append(
                f'{folder / name} is not the published file byte for byte (md5); it is used as it is.'
            )
    images, labels = read_cifar(folder, num_classes, split)
    _check_numbers(num_classes, split, images.shape, labels, folder)
    with disk_errors(f'Writing {path}'), new_file(path) as stream:
        np.savez(stream, images=images, labels=labels, class_names=np.array(CLASS_NAMES[num_classes]))
    prepared.notes.append(f'{path} was made from {folder}.')


def _check(num_classes: int, split: str, path: Path, prepared: Prepared) -> None:
    """Raise unless the file holds the set; say whether its pixels are known to be the published ones."""
    pixels = PIXELS.get(path.name)
    kind = pixels or f'{num_classes} classes, {split}'
    if is_noted(path, kind):
        return
    arrays = read_arrays(path)
    _check_numbers(num_classes, split, (len(arrays.images), *arrays.images[0].shape), arrays.labels, path)
    if pixels is not None and _digest(path) != pixels:
        prepared.notes.append(f'{path}: the pixels are NOT those of the published set. Numbers will not compare.')
        return
    if pixels is not None:
        prepared.notes.append(f'{path}: the pixels are those of the published set.')
    note(path, kind)


def _check_numbers(
    num_classes: int, split: str, shape: tuple[int, ...], labels: NDArray[np.int64], where: Path
) -> None:
    counts = np.bincount(labels, minlength=num_classes)
    per_class = IMAGES[split] // num_classes
    if shape != (IMAGES[split], 32, 32, 3) or counts.size != num_classes or (counts != per_class).any():
        raise DataError(
            f'{where} is not CIFAR-{num_classes}: expected {per_class:,} {split} images of 32 x 32 x 3 in each of '
            f'{num_classes} classes, got {shape} with {counts.min():,} to {counts.max():,} in {counts.size}. It is '
            'left as it is; move it away and run the same command.'
        )


def _digest(path: Path) -> str:
    with np.load(path) as arrays:
        return hashlib.sha256(np.ascontiguousarray(arrays['images']).data).hexdigest()


def _torchvision_class(num_classes: int) -> Any:
    """The class that carries address and hashes; imported late, as nothing else needs torchvision here."""
    from torchvision.datasets import CIFAR10, CIFAR100

    return {10: CIFAR10, 100: CIFAR100}[num_classes]
