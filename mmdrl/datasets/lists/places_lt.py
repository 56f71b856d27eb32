"""Places-LT, with the images as Places365 ships them or in one folder per class."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.lists.layouts import Layout, Place
from mmdrl.datasets.lists.placed_paths import Layouts
from mmdrl.datasets.lists.published_lists import PublishedListDataset
from mmdrl.datasets.lists.shared_columns import PathColumn
from mmdrl.registry import DATASETS

_BY_CLASS = re.compile(r'(train|val)/([^/]+)/([^/]+)')
_TRAIN = re.compile(r'data_256/[^/]/([^/]+(?:/[^/]+)?)/([^/]+)')
_VAL = re.compile(r'val_256/([^/]+)')


def place(row: str) -> Place | None:
    """Part, class as in ``apartment_building-outdoor`` and name of a row in either layout."""
    if match := _BY_CLASS.fullmatch(row):
        return Place(*match.groups())
    if match := _TRAIN.fullmatch(row):
        return Place('train', match[1].replace('/', '-'), match[2])
    if match := _VAL.fullmatch(row):
        return Place('val', None, match[1])
    return None


def by_class(part: str, folder: str, name: str) -> str:
    """``train/apartment_building-outdoor/00004851.jpg``."""
    return f'{part}/{folder}/{name}'


def places365(part: str, folder: str, name: str) -> str:
    """``data_256/a/apartment_building/outdoor/00004851.jpg``, and ``val_256/Places365_val_00003597.jpg``."""
    return f'val_256/{name}' if part == 'val' else f'data_256/{folder[0]}/{folder.replace("-", "/")}/{name}'


def label_order(folder: str) -> list[str]:
    """Sort key of the labels: word by word, so that ``desert_road`` comes before ``desert-sand``."""
    return re.split('[-_]', folder)


@DATASETS.register_module()
class PlacesLT(PublishedListDataset):
    """Places-LT: train 62,500 images of 365 classes of 4980 to 5, val 7,300, test 36,500.

    ``layout='places365'`` is that of the 256-pixel images of Places365: ``data_256/a/airfield/...`` and
    ``val_256/...`` without classes, which holds the test images. ``layout='by_class'`` has
    ``train/airfield/...`` and ``val/airfield/...``. A list of either goes with a folder of either.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'``.
        data_root: Folder of lists and images.
        **kwargs: Of :class:`mmdrl.datasets.PublishedListDataset`.

    Source: Liu et al., "Large-Scale Long-Tailed Recognition in an Open World", CVPR 2019.
    """

    NAME = 'Places-LT'
    LAYOUTS = Layouts(
        by_name={'by_class': Layout(by_class, ('train', 'val')), 'places365': Layout(places365, ('train',))},
        place=place,
        num_classes=365,
        order=label_order,
    )

    def __init__(self, split: str = 'train', data_root: str = 'data/places', **kwargs: Any):
        super().__init__(split, data_root, **kwargs)

    def read_list(self, num_classes: int | None) -> tuple[PathColumn, NDArray[np.int64]]:
        """Paths and labels; the classes are named after their folders if the list tells them."""
        paths, labels = super().read_list(num_classes)
        places = [place(paths[row]) for row in np.unique(labels, return_index=True)[1]]
        names = tuple(found.folder for found in places if found is not None and found.folder is not None)
        if len(names) == int(labels.max()) + 1:
            self._metainfo.setdefault('classes', names)
        return paths, labels
