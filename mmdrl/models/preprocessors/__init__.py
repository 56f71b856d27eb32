"""Preprocessing of whole batches on the device."""

from .augments import BatchAugmentation
from .batch_augments import BATCH_AUGMENTS
from .batch_preprocessor import BatchDataPreprocessor
from .remix import RemixDataPreprocessor

__all__ = ['BATCH_AUGMENTS', 'BatchAugmentation', 'BatchDataPreprocessor', 'RemixDataPreprocessor']
