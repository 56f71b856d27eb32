"""Figures of runs and data sets, functions that take numbers and return a matplotlib ``Figure``, and tables."""

from .class_accuracy import class_accuracy_figure
from .class_counts import class_counts_figure
from .feature_map import feature_map_figure
from .plan_table import plan_table
from .tables import accuracy_table, by_classifier, largest_and_smallest_table, statistics_table

__all__ = [
    'accuracy_table',
    'by_classifier',
    'class_accuracy_figure',
    'class_counts_figure',
    'feature_map_figure',
    'largest_and_smallest_table',
    'plan_table',
    'statistics_table',
]
