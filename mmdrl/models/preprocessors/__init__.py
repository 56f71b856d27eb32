"""Preprocessing of whole batches on the device."""

from .remix import RemixDataPreprocessor

__all__ = ['RemixDataPreprocessor']
