"""Accuracy by many-, medium- and few-shot classes, for the linear classifier or the nearest centroid.

Classes are grouped by their number of *training* images. A group's accuracy is the mean over its
classes, not over its images, and a group or class without a test image is nan rather than 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdrl.registry import METRICS
from mmdrl.stats import Edges

from .accuracy import group_accuracy, per_class_accuracy
from .grouped_metric import GroupedMetric
from .predicted_labels import Classifier, checked_classifier, known_predictions, label_pairs


@METRICS.register_module()
class ShotAccuracy(GroupedMetric):
    """Accuracy in percent: ``many``, ``medium``, ``few`` (means over classes) and ``all`` (over samples).

    After an evaluation ``per_class`` holds the accuracy of each class, shape ``(K,)``, percent, nan where
    the test set has no image, and ``per_sample`` the labels ``label`` and ``linear`` or ``ncm``, shape ``(N,)``; on the
    main process only, as MMEngine computes metrics there.

    Args:
        many: Edge of the many-shot group, in training images.
        few: Edge of the few-shot group, in training images.
        edges: Whether a class exactly on an edge is medium, see :func:`mmdrl.stats.shot_groups`.
        classifier: ``'linear'`` reads ``pred_label``; ``'ncm'`` reads ``ncm_label``, the nearest class
            mean. Where no sample has an ``ncm_label`` (there are no centroids yet), every value is nan.
        class_counts: Training images per class, shape ``(K,)``. None: ``mmdrl.ClassCountsHook`` sets the
            attribute of this name from the train set or the checkpoint.
        prefix: Put before the names, ``'ncm'`` gives ``ncm/many``. Needed to tell two of these apart.
        collect_device: ``'cpu'`` or ``'gpu'``, of MMEngine's collection over processes.
        collect_dir: Folder shared by the processes for the collection on the CPU.

    Raises:
        ConfigError: If an argument is out of range, or there are no class counts when they are needed.
        DataError: If predictions lack the label, or do not fit the class counts.
    """

    rules = dict.fromkeys(('many', 'medium', 'few', 'all'), 'greater')

    def __init__(
        self,
        many: int = 100,
        few: int = 20,
        edges: Edges = 'exclusive',
        classifier: Classifier = 'linear',
        class_counts: ArrayLike | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ):
        super().__init__(many, few, edges, class_counts, prefix, collect_device, collect_dir)
        self.classifier = checked_classifier(classifier)
        self.per_class: NDArray[np.float64] | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep one pair (predicted, true) per sample; predicted is -1 where there is no ``ncm_label``."""
        self.results.extend(label_pairs(data_samples, self.classifier))

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict[str, float]:
        """The four accuracies, in percent; sets ``per_class`` and ``per_sample``."""
        num_classes = len(self.known_class_counts())
        pred, target = known_predictions(results, self.classifier)
        if pred is None:
            self.per_sample = dict(label=target)
            self.per_class = np.full(num_classes, np.nan)
            overall = float('nan')
        else:
            self.per_sample = {'label': target, self.classifier: pred}
            self.per_class = per_class_accuracy(pred, target, num_classes)
            overall = float(100.0 * (pred == target).mean())
        return {**group_accuracy(self.per_class, self.class_groups()), 'all': overall}
