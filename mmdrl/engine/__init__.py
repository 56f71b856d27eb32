"""What runs: hooks, stages, configs and checkpoints."""

from .hooks import CentroidHook, ClassCountsHook, ProgressHook, SummaryHook, TwoStageHook

__all__ = [
    'CentroidHook',
    'ClassCountsHook',
    'ProgressHook',
    'SummaryHook',
    'TwoStageHook',
]
