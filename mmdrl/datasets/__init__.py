"""Data sets, the long-tail wrapper and samplers; importing this registers them."""

from .arrays import ArrayDataset
from .digits import Digits
from .labels import check_labels, dataset_labels, unrepeated_dataset, whole_dataset
from .long_tail import LongTailDataset
from .samplers import ClassAwareSampler

__all__ = [
    'ArrayDataset',
    'ClassAwareSampler',
    'Digits',
    'LongTailDataset',
    'check_labels',
    'dataset_labels',
    'unrepeated_dataset',
    'whole_dataset',
]
