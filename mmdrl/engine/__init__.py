"""What runs: hooks, stages, configs and checkpoints."""

from .hooks import (
    AtomicCheckpointHook,
    CentroidHook,
    ClassCountsHook,
    FigureHook,
    PreemptionHook,
    ProgressHook,
    RadiusHook,
    SummaryHook,
    TwoStageHook,
    ValidationHook,
)
from .log_processor import BriefLogProcessor
from .loops import ResumableEpochLoop, ResumableIterLoop

__all__ = [
    'AtomicCheckpointHook',
    'BriefLogProcessor',
    'CentroidHook',
    'ClassCountsHook',
    'FigureHook',
    'PreemptionHook',
    'ProgressHook',
    'RadiusHook',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'SummaryHook',
    'TwoStageHook',
    'ValidationHook',
]
