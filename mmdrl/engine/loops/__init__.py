"""Training loops that go on inside an interrupted epoch."""

from .by_epoch import ResumableEpochLoop
from .by_iteration import ResumableIterLoop

__all__ = ['ResumableEpochLoop', 'ResumableIterLoop']
