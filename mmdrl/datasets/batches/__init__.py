"""Whole batches of images that are arrays, without an object per image on the way."""

from .gives_batches import GivesBatches, keeps_ways_of
from .image_batch import ImageBatch

__all__ = ['GivesBatches', 'ImageBatch', 'keeps_ways_of']
