"""Hooks for MMEngine's runner."""

from .centroids import CentroidHook
from .class_counts import ClassCountsHook
from .progress import ProgressHook
from .summary import SummaryHook
from .two_stage import TwoStageHook

__all__ = ['CentroidHook', 'ClassCountsHook', 'ProgressHook', 'SummaryHook', 'TwoStageHook']
