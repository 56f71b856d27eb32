"""Classifiers rebalanced after training, without any further training."""

from .rules import Rule
from .run import Outcome, rebalance
from .save import check_target

__all__ = ['Outcome', 'Rule', 'check_target', 'rebalance']
