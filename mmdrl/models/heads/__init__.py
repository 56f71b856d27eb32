"""Classification heads."""

from .dr_head import DRHead
from .dr_layer import DRLayer

__all__ = ['DRHead', 'DRLayer']
