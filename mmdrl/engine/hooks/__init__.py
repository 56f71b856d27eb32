"""Hooks for MMEngine's runner."""

from .centroids import CentroidHook
from .checkpoint import AtomicCheckpointHook
from .class_counts import ClassCountsHook
from .figures import FigureHook
from .non_finite import NonFiniteHook
from .preemption import PreemptionHook
from .progress import ProgressHook
from .radii import RadiusHook
from .runtime_info import RuntimeInfoHook
from .summary import SummaryHook
from .two_stage import TwoStageHook
from .validation import ValidationHook

__all__ = [
    'AtomicCheckpointHook',
    'CentroidHook',
    'ClassCountsHook',
    'FigureHook',
    'NonFiniteHook',
    'PreemptionHook',
    'ProgressHook',
    'RadiusHook',
    'RuntimeInfoHook',
    'SummaryHook',
    'TwoStageHook',
    'ValidationHook',
]
