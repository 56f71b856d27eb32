"""Data sets, the long-tail wrapper and samplers; importing this registers them."""

from .arrays import ArrayDataset
from .cifar import CIFAR
from .digits import Digits
from .image_lists import ImageListDataset
from .imagenet_lt import ImageNetLT
from .inaturalist import INaturalist2018
from .labels import check_labels, dataset_labels, distinct_images, image_ids, whole_dataset
from .long_tail import LongTailDataset
from .places_lt import PlacesLT
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
