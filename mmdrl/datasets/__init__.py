"""Data sets, the long-tail wrapper and samplers; importing this registers them."""

from .arrays.array_dataset import ArrayDataset
from .arrays.cifar import CIFAR
from .arrays.digits import Digits
from .batches.collate import collate_images
from .labels import check_labels, dataset_labels
from .lists.image_lists import ImageListDataset
from .lists.imagenet_lt import ImageNetLT
from .lists.inaturalist import INaturalist2018
from .lists.places_lt import PlacesLT
from .long_tail.long_tail_dataset import LongTailDataset
from .mixing import BalancedMixup
from .same_images import distinct_images, image_ids
from .samplers import (
    BatchBalancedSampler,
    ClassAwareSampler,
    EffectiveNumberSampler,
    PowerSampler,
    ProgressiveSampler,
)
from .transforms import AutoAugmentPolicy, SquareCutout
from .wrappers import whole_dataset

__all__ = [
    'CIFAR',
    'ArrayDataset',
    'AutoAugmentPolicy',
    'BalancedMixup',
    'BatchBalancedSampler',
    'ClassAwareSampler',
    'Digits',
    'EffectiveNumberSampler',
    'INaturalist2018',
    'ImageListDataset',
    'ImageNetLT',
    'LongTailDataset',
    'PlacesLT',
    'PowerSampler',
    'ProgressiveSampler',
    'SquareCutout',
    'check_labels',
    'collate_images',
    'dataset_labels',
    'distinct_images',
    'image_ids',
    'whole_dataset',
]
