"""Classifiers rebalanced after training, without any further training."""

from .rules import Rule
from .run import Outcome, rebalance
from .sweep import best_per_rule

__all__ = ['Outcome', 'Rule', 'best_per_rule', 'rebalance']
