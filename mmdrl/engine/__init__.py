"""What runs: hooks, stages, launching, and loading of checkpoints with the safety on."""

from .hooks import CentroidHook, ClassCountsHook, ProgressHook, SummaryHook, TwoStageHook
from .safe_globals import register_safe_globals

__all__ = [
    'CentroidHook',
    'ClassCountsHook',
    'ProgressHook',
    'SummaryHook',
    'TwoStageHook',
    'register_safe_globals',
]

register_safe_globals()
