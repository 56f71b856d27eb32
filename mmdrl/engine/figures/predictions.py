"""Figures of one validation: its accuracies by class and its predictions."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from mmdrl import visualization
from mmdrl.evaluation import per_class_accuracy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ('class_accuracy', 'group_confusion', 'class_confusion', 'reliability')
CLASSIFIERS = ('linear', 'ncm')


def prediction_figures(
    class_counts: ArrayLike,
    groups: Mapping[str, Any],
    predictions: Mapping[str, ArrayLike],
    per_class: Mapping[str, ArrayLike] | None = None,
    wanted: Collection[str] = NAMES,
) -> dict[str, 'Figure']:
    """Figures by name; those that the predictions do not suffice for are left out.

    Args:
        class_counts: Training images per class, shape ``(K,)``.
        groups: ``many``, ``few`` and ``edges`` of the shot groups.
        predictions: ``label``, ``linear``, ``ncm`` and ``confidence`` of each image, shape ``(N,)``, as far as they
            are known. A classifier that has not predicted yet is not in it, or -1 everywhere.
        per_class: Accuracies in percent by classifier, shape ``(K,)``. None: those of the predictions.
        wanted: Names of figures.

    Raises:
        DataError: If something does not fit the class counts.
    """
    labels: Any = predictions.get('label')
    known: dict[str, Any] = {}
    if labels is not None and np.size(labels):
        given = {name: np.asarray(predictions[name]) for name in CLASSIFIERS if name in predictions}
        known = {name: values for name, values in given.items() if not (values < 0).all()}
    if per_class is None:
        total = np.size(class_counts)
        per_class = {name: per_class_accuracy(values, labels, total) for name, values in known.items()}
    figures: dict[str, Figure] = {}
    if 'class_accuracy' in wanted and per_class:
        figures['class_accuracy'] = visualization.class_accuracy_figure(class_counts, per_class, **groups)
    if 'group_confusion' in wanted and known:
        figures['group_confusion'] = visualization.group_confusion_figure(class_counts, labels, known, **groups)
    linear = known.get('linear')
    if 'class_confusion' in wanted and linear is not None:
        figures['class_confusion'] = visualization.class_confusion_figure(class_counts, labels, linear, **groups)
    if 'reliability' in wanted and linear is not None and 'confidence' in predictions:
        confidence = predictions['confidence']
        figures['reliability'] = visualization.reliability_figure(class_counts, labels, linear, confidence, **groups)
    return figures
