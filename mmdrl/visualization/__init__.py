"""Figures of a run, functions that take numbers and return a matplotlib ``Figure``, and tables."""

from .class_accuracy import class_accuracy_figure
from .feature_map import feature_map_figure
from .tables import accuracy_table, by_classifier

__all__ = ['accuracy_table', 'by_classifier', 'class_accuracy_figure', 'feature_map_figure']
