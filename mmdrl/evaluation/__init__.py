"""Metrics for long-tailed data; importing this registers them."""

from .shot_accuracy import ShotAccuracy, group_accuracy, per_class_accuracy

__all__ = ['ShotAccuracy', 'group_accuracy', 'per_class_accuracy']
