"""ImageNet-LT, in the two layouts in which the images of ILSVRC 2012 are kept."""

import re
from typing import Any

from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

from mmdrl.datasets.lists.layouts import Layout, Place
from mmdrl.datasets.lists.placed_paths import Layouts
from mmdrl.datasets.lists.published_lists import PublishedListDataset
from mmdrl.registry import DATASETS

_ROW = re.compile(r'(train|val)/(?:([^/]+)/)?([^/]+)')


def place(row: str) -> Place | None:
    """Part, WordNet id and name of ``train/n01440764/x.JPEG``, ``val/n01440764/x.JPEG`` or ``val/x.JPEG``."""
    match = _ROW.fullmatch(row)
    return Place(*match.groups()) if match else None


def nested(part: str, folder: str, name: str) -> str:
    """``val/n01440764/ILSVRC2012_val_00029930.JPEG``."""
    return f'{part}/{folder}/{name}'


def flat(part: str, folder: str, name: str) -> str:
    """``val/ILSVRC2012_val_00029930.JPEG``, as the images of ``val`` are shipped."""
    return f'val/{name}' if part == 'val' else nested(part, folder, name)


@DATASETS.register_module()
class ImageNetLT(PublishedListDataset):
    """ImageNet-LT: train 115,846 images of 1000 classes of 1280 to 5, val 20,000, test 50,000.

    ``layout='nested'`` has the images of ILSVRC's validation set, which are the test images, in folders of their
    classes, ``layout='flat'`` in one folder. A list of either goes with a folder of either.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'``.
        data_root: Folder of lists and images.
        **kwargs: Of :class:`mmdrl.datasets.PublishedListDataset`.

    Source: Liu et al., "Large-Scale Long-Tailed Recognition in an Open World", CVPR 2019.
    """

    METAINFO = {'classes': IMAGENET_CATEGORIES}
    NAME = 'ImageNet-LT'
    LAYOUTS = Layouts(
        by_name={'nested': Layout(nested, ('train', 'val')), 'flat': Layout(flat, ('train',))},
        place=place,
        num_classes=1000,
    )

    def __init__(self, split: str = 'train', data_root: str = 'data/imagenet', **kwargs: Any):
        super().__init__(split, data_root, **kwargs)
