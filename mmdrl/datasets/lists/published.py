"""What the published long-tailed splits hold, so that a copy can be checked.

Numbers and hashes are those of the lists as first published: ImageNet-LT and Places-LT by Liu et al.,
"Large-Scale Long-Tailed Recognition in an Open World", CVPR 2019; the iNaturalist 2018 lists by Kang et al.,
"Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmdrl.errors import DataError

Split = Literal['train', 'val', 'test']


@dataclass(frozen=True)
class PublishedSplit:
    """One split of a published data set.

    Attributes:
        list_name: Name of its list file.
        images: Number of images.
        classes: Number of classes.
        largest: Images of the largest class.
        smallest: Images of the smallest class.
        git_blob: Hash of the list file as ``git hash-object`` prints it.
    """

    list_name: str
    images: int
    classes: int
    largest: int
    smallest: int
    git_blob: str


PUBLISHED: dict[str, dict[str, PublishedSplit]] = {
    'ImageNet-LT': {
        'train': PublishedSplit(
            'ImageNet_LT_train.txt', 115_846, 1000, 1280, 5, 'a063f095fcd475db4cf8b0658c4b73955535bbf9'
        ),
        'val': PublishedSplit('ImageNet_LT_val.txt', 20_000, 1000, 20, 20, '3ed3188b2f44829ce2dec1cc27040d8d40984088'),
        'test': PublishedSplit(
            'ImageNet_LT_test.txt', 50_000, 1000, 50, 50, '76a2fb9749d6cd29e765cc4f8c270f2504131e2f'
        ),
    },
    'Places-LT': {
        'train': PublishedSplit(
            'Places_LT_train.txt', 62_500, 365, 4980, 5, '6392252f8ae867bc8a5e841cc1b29e5b8ef4b636'
        ),
        'val': PublishedSplit('Places_LT_val.txt', 7_300, 365, 20, 20, 'b93a2ca58ccb7f3b671c176f395a70bf52c95533'),
        'test': PublishedSplit('Places_LT_test.txt', 36_500, 365, 100, 100, 'e732e58b8aa718a2c1c11933375f5710652c2b93'),
    },
    'iNaturalist 2018': {
        'train': PublishedSplit(
            'iNaturalist18_train.txt', 437_513, 8142, 1000, 2, '4accdb7584d2f0a5106c40a33ed6afa392189bcc'
        ),
        'val': PublishedSplit('iNaturalist18_val.txt', 24_426, 8142, 3, 3, '4c23900857fd0f5adcd4cc0dffef345039eeb05f'),
    },
}


def check_numbers(labels: NDArray[np.int64], expected: PublishedSplit, where: str) -> None:
    """The labels must have the numbers of the published split.

    Args:
        labels: Shape ``(N,)``, from 0.
        expected: The published split.
        where: What holds the labels, as the beginning of the message.

    Raises:
        DataError: If a number differs; the message gives both sides of all of them, the remedy is the caller's.
    """
    counts = np.bincount(labels, minlength=expected.classes)
    found = (len(labels), int((counts > 0).sum()), int(counts.max()), int(counts[counts > 0].min()))
    wanted = (expected.images, expected.classes, expected.largest, expected.smallest)
    if found != wanted:
        raise DataError(
            f'{where} is not the published {expected.list_name}: expected {_numbers(*wanted)}; got {_numbers(*found)}.'
        )


def blob_hash(content: bytes) -> str:
    """Hash of a file's content as ``git hash-object`` prints it."""
    return hashlib.sha1(b'blob %d\0' % len(content) + content, usedforsecurity=False).hexdigest()


def _numbers(images: int, classes: int, largest: int, smallest: int) -> str:
    return f'{images:,} images of {classes:,} classes, {largest:,} to {smallest:,} per class'
