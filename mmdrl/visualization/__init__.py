"""Figures of runs and data sets, functions that take numbers and return a matplotlib ``Figure``, and tables.

A figure function is imported when it is first asked for: matplotlib takes a quarter of a second, and most of what
starts draws nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .confusion_shares import group_confusion
from .plan_table import plan_table
from .tables import accuracy_table, by_classifier, group_rule, largest_and_smallest_table, statistics_table

if TYPE_CHECKING:
    from .accuracy_curves import accuracy_figure, run_accuracy_figure
    from .accuracy_difference import accuracy_difference_figure
    from .class_accuracy import class_accuracy_figure
    from .class_counts import class_counts_figure
    from .confusion import class_confusion_figure, group_confusion_figure
    from .feature_embedding import feature_embedding_figure
    from .feature_map import feature_map_figure
    from .loss_curves import loss_figure
    from .radius_curves import radius_figure
    from .reliability import reliability_figure
    from .stage_timeline import stage_timeline_figure

_FIGURES = {
    'accuracy_difference_figure': 'accuracy_difference',
    'accuracy_figure': 'accuracy_curves',
    'class_accuracy_figure': 'class_accuracy',
    'class_confusion_figure': 'confusion',
    'class_counts_figure': 'class_counts',
    'feature_embedding_figure': 'feature_embedding',
    'feature_map_figure': 'feature_map',
    'group_confusion_figure': 'confusion',
    'loss_figure': 'loss_curves',
    'radius_figure': 'radius_curves',
    'reliability_figure': 'reliability',
    'run_accuracy_figure': 'accuracy_curves',
    'stage_timeline_figure': 'stage_timeline',
}

__all__ = [
    'accuracy_difference_figure',
    'accuracy_figure',
    'accuracy_table',
    'by_classifier',
    'class_accuracy_figure',
    'class_confusion_figure',
    'class_counts_figure',
    'feature_embedding_figure',
    'feature_map_figure',
    'group_confusion',
    'group_confusion_figure',
    'group_rule',
    'largest_and_smallest_table',
    'loss_figure',
    'plan_table',
    'radius_figure',
    'reliability_figure',
    'run_accuracy_figure',
    'stage_timeline_figure',
    'statistics_table',
]


def __getattr__(name: str) -> Any:
    """A figure function."""
    if name not in _FIGURES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_FIGURES[name]}'), name)
