"""Preprocessing of whole batches on the device."""

from .batch_augments import BATCH_AUGMENTS
from .remix import RemixDataPreprocessor

__all__ = ['BATCH_AUGMENTS', 'RemixDataPreprocessor']
