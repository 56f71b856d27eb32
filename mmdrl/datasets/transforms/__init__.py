"""Augmentations of single images that MMPretrain lacks, or has in another form than the literature means."""

from .auto_augment import AutoAugmentPolicy
from .cutout import SquareCutout

__all__ = ['AutoAugmentPolicy', 'SquareCutout']
