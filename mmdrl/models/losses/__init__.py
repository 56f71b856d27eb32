"""Losses as registered modules."""

from .dr_loss import DRLoss

__all__ = ['DRLoss']
