"""What runs: hooks, stages, configs and checkpoints."""

from .hooks import CentroidHook, ClassCountsHook, ProgressHook, SummaryHook, TwoStageHook
from .loops import ResumableEpochLoop, ResumableIterLoop

__all__ = [
    'CentroidHook',
    'ClassCountsHook',
    'ProgressHook',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'SummaryHook',
    'TwoStageHook',
]
