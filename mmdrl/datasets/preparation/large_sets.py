"""ImageNet-LT, Places-LT and iNaturalist 2018: their lists, and their images where they may be fetched.

The hash of a list is that of its first publication. A list that is there with the right numbers but another hash
is used and named, since other projects carry them with other paths.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.label_files import read_labels
from mmdrl.datasets.lists.published import PUBLISHED, PublishedSplit, blob_hash, check_numbers
from mmdrl.datasets.preparation.archives import unpack
from mmdrl.datasets.preparation.files import Progress, RemoteFile, disk_errors, is_noted, is_right, note
from mmdrl.datasets.preparation.result import Fetch, Prepared
from mmdrl.errors import DataError

LISTS = 'https://raw.githubusercontent.com/facebookresearch/classifier-balancing/main/data'
INATURALIST = 'https://ml-inat-competition-datasets.s3.amazonaws.com/2018'
PLACES = 'http://data.csail.mit.edu/places/places365'


@dataclass(frozen=True)
class LargeSet:
    """What a large set consists of.

    Attributes:
        published: Its name in ``PUBLISHED``.
        list_folder: Folder of its lists below ``LISTS``.
        image_folders: Folders of which one shows that the images are there.
        advice: How to get them.
        annotations: Archives of annotations, by split: each holds one file, named like the archive.
        images: Archives of images, by the folder that each unpacks to.
    """

    published: str
    list_folder: str
    image_folders: tuple[str, ...]
    advice: str
    annotations: dict[str, RemoteFile]
    images: dict[str, RemoteFile]


LARGE_SETS = {
    'imagenet-lt': LargeSet(
        'ImageNet-LT',
        'ImageNet_LT',
        ('train',),
        'The images need an account: get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from image-net.org and '
        'unpack them to {root}/train/<class>/ and {root}/val/, with or without folders of classes.',
        {},
        {},
    ),
    # Addresses and md5 of the images as torchvision.datasets.Places365 has them.
    'places-lt': LargeSet(
        'Places-LT',
        'Places_LT',
        ('data_256', 'train'),
        'The images (25 GB) are fetched with --images.',
        {},
        {
            'data_256': RemoteFile(f'{PLACES}/train_256_places365standard.tar', '53ca1c756c3d1e7809517cc47c5561c5'),
            'val_256': RemoteFile(f'{PLACES}/val_256.tar', 'e27b17d8d44f4af9a78502beb927f808'),
        },
    ),
    # md5 as the organisers of the competition give them.
    'inaturalist2018': LargeSet(
        'iNaturalist 2018',
        'iNaturalist18',
        ('train_val2018',),
        'The images (120 GB, and as much again to unpack them) are fetched with --images.',
        {
            'train': RemoteFile(f'{INATURALIST}/train2018.json.tar.gz', 'bfa29d89d629cbf04d826a720c0a68b0'),
            'val': RemoteFile(f'{INATURALIST}/val2018.json.tar.gz', 'f2ed8bfe3e9901cdefceb4e53cd3775d'),
        },
        {'train_val2018': RemoteFile(f'{INATURALIST}/train_val2018.tar.gz', 'b1c6952ce38f31868cc50ea72d066cc3')},
    ),
}


def prepare_large_set(name: str, root: Path, fetch: Fetch, images: bool, progress: Progress | None = None) -> Prepared:
    """Get and check the lists of a set in ``root``, its annotations and, if wanted, its images.

    What fails is a problem in what comes back; the rest is gone on with.
    """
    parts = LARGE_SETS[name]
    prepared = Prepared()
    for split, expected in PUBLISHED[parts.published].items():
        address = f'{LISTS}/{parts.list_folder}/{expected.list_name}'
        with _noting_problems(prepared):
            file = RemoteFile(address, expected.git_blob, 'git')
            path = root / file.name
            if not path.is_file():
                fetch(file)
            labels = read_labels(path)
            _check(labels, expected, path)
            prepared.notes += _differences(file, path)
            prepared.counts[f'{parts.published} {split}'] = np.bincount(labels, minlength=expected.classes)
    for split, archive in parts.annotations.items():
        with _noting_problems(prepared):
            _get_annotations(archive, PUBLISHED[parts.published][split], root, fetch)
    for folder, archive in parts.images.items() if images else ():
        with _noting_problems(prepared):
            _get_images(archive, root / folder, fetch, prepared, progress)
    is_asked = images and parts.images
    if not is_asked and not any((root / folder).is_dir() for folder in parts.image_folders):
        prepared.notes.append(parts.advice.format(root=root))
    return prepared


@contextmanager
def _noting_problems(prepared: Prepared) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        prepared.problems.append(str(error))


def _differences(file: RemoteFile, path: Path) -> list[str]:
    """A sentence if the content is not that of the first publication."""
    with disk_errors(f'Reading {path}'):
        if is_right(file, path):
            return []
        content = path.read_bytes()
    lines = b''.join(line.rstrip() + b'\n' for line in content.splitlines())
    if blob_hash(lines) == file.digest:
        what = 'in its line ends'
    else:
        what = f'in paths, order or images (the first path is {content.split()[0].decode(errors="replace")})'
    return [f'{path} differs from the published list {what}; its numbers are right, and it is used as it is.']


def _get_annotations(archive: RemoteFile, expected: PublishedSplit, root: Path, fetch: Fetch) -> None:
    path = root / archive.name.removesuffix('.tar.gz')
    if not path.exists():
        unpack(fetch(archive), root)
    if not path.exists():
        raise DataError(f'{archive.name} should unpack to {path.name}, but it holds no such file.')
    if not is_noted(path, archive.digest):
        _check(read_labels(path), expected, path)
        note(path, archive.digest)


def _get_images(archive: RemoteFile, folder: Path, fetch: Fetch, prepared: Prepared, progress: Progress | None) -> None:
    if folder.is_dir():
        return
    if os.path.lexists(folder):
        raise DataError(
            f'{folder} is no folder, or a link to nothing. It is left as it is; mount the disk, or move it.'
        )
    path = fetch(archive)
    unpack(path, folder.parent, progress)
    prepared.notes.append(f'{path} is unpacked to {folder} and may be deleted.')


def _check(labels: NDArray[np.int64], expected: PublishedSplit, path: Path) -> None:
    try:
        check_numbers(labels, expected, str(path))
    except DataError as error:
        raise DataError(f'{error} It is left as it is; move it away to have it fetched.') from error
