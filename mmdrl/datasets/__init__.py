"""Data sets, the long-tail wrapper and samplers; importing this registers them."""

from .arrays.array_dataset import ArrayDataset
from .arrays.cifar import CIFAR
from .arrays.digits import Digits
from .labels import check_labels, dataset_labels, distinct_images, image_ids, whole_dataset
from .lists.image_lists import ImageListDataset
from .lists.imagenet_lt import ImageNetLT
from .lists.inaturalist import INaturalist2018
from .lists.places_lt import PlacesLT
from .long_tail.long_tail_dataset import LongTailDataset
from .samplers import (
    BatchBalancedSampler,
    ClassAwareSampler,
    EffectiveNumberSampler,
    PowerSampler,
    ProgressiveSampler,
)

__all__ = [
    'CIFAR',
    'ArrayDataset',
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
    'check_labels',
    'dataset_labels',
    'distinct_images',
    'image_ids',
    'whole_dataset',
]
