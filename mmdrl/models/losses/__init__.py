"""Losses as registered modules."""

from .build import build_loss
from .class_balanced import ClassBalancedLoss
from .counted import CountedLoss
from .dr_loss import DRLoss
from .ldam import LDAMLoss
from .logit_adjusted import BalancedSoftmaxLoss, LogitAdjustedLoss

__all__ = [
    'BalancedSoftmaxLoss',
    'ClassBalancedLoss',
    'CountedLoss',
    'DRLoss',
    'LDAMLoss',
    'LogitAdjustedLoss',
    'build_loss',
]
