"""Classification heads."""

from .dr_head import DRHead

__all__ = ['DRHead']
