"""Augmentation of whole batches on the device, with random numbers for each image."""

from .auto_augment import BatchAutoAugment
from .batch_augmentation import BatchAugmentation
from .crop import BatchCrop
from .cutout import BatchCutout
from .erasing import BatchErasing
from .flip import BatchFlip
from .rand_augment import BatchRandAugment
from .registry import BATCH_TRANSFORMS

__all__ = [
    'BATCH_TRANSFORMS',
    'BatchAugmentation',
    'BatchAutoAugment',
    'BatchCrop',
    'BatchCutout',
    'BatchErasing',
    'BatchFlip',
    'BatchRandAugment',
]
