"""Metrics for long-tailed data; importing this registers them."""

from .accuracy import group_accuracy, macro_f1, mean_accuracy, per_class_accuracy, worst_accuracy
from .calibration import Calibration
from .class_accuracy import ClassAccuracy
from .grouped_metric import GroupedMetric
from .reliability import ReliabilityBins, brier_scores, calibration_errors, reliability_bins
from .shot_accuracy import ShotAccuracy

__all__ = [
    'Calibration',
    'ClassAccuracy',
    'GroupedMetric',
    'ReliabilityBins',
    'ShotAccuracy',
    'brier_scores',
    'calibration_errors',
    'group_accuracy',
    'macro_f1',
    'mean_accuracy',
    'per_class_accuracy',
    'reliability_bins',
    'worst_accuracy',
]
