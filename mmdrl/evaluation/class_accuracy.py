"""What is made of the classes' accuracies besides shot groups: every class weighs the same, whatever its size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdrl.registry import METRICS
from mmdrl.stats import Edges

from .accuracy import group_accuracy, macro_f1, mean_accuracy, per_class_accuracy, worst_accuracy
from .grouped_metric import GroupedMetric
from .predicted_labels import Classifier, checked_classifier, known_predictions, label_pairs


@METRICS.register_module()
class ClassAccuracy(GroupedMetric):
    """``balanced``, ``macro_f1`` and ``worst_class`` in percent, ``head_tail_gap`` in points.

    ``balanced`` is the mean of the classes' accuracies, ``worst_class`` the smallest of them, ``head_tail_gap`` the
    mean of the many-shot classes less that of the few-shot ones. Classes without a test image take no part; where
    nothing is left a value is nan. After an evaluation ``per_class`` and ``per_sample`` are as in ``ShotAccuracy``.

    Args:
        classifier: ``'linear'`` reads ``pred_label``, ``'ncm'`` reads ``ncm_label``; see ``ShotAccuracy``.
        many: Edge of the many-shot group, in training images. None: that of the first ``ShotAccuracy`` of the
            evaluator, as ``mmdrl.ClassCountsHook`` hands it on, else 100.
        few: Edge of the few-shot group. None: likewise, else 20.
        edges: Where a class exactly on an edge belongs. None: likewise, else ``'exclusive'``.
        class_counts: Training images per class, shape ``(K,)``. None: the hook sets them.
        prefix: Put before the names, ``'ncm'`` gives ``ncm/balanced``.
        collect_device: ``'cpu'`` or ``'gpu'``, of MMEngine's collection over processes.
        collect_dir: Folder shared by the processes for the collection on the CPU.

    Raises:
        ConfigError: If an argument is out of range, or there are no class counts when they are needed.
        DataError: If predictions lack the label, or do not fit the class counts.
    """

    rules = dict(balanced='greater', macro_f1='greater', worst_class='greater', head_tail_gap='less')

    def __init__(
        self,
        classifier: Classifier = 'linear',
        many: int | None = None,
        few: int | None = None,
        edges: Edges | None = None,
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
        """The four values; sets ``per_class`` and ``per_sample``."""
        num_classes = len(self.known_class_counts())
        pred, target = known_predictions(results, self.classifier)
        if pred is None:
            self.per_sample = dict(label=target)
            self.per_class = np.full(num_classes, np.nan)
            return dict.fromkeys(self.rules, float('nan'))
        self.per_sample = {'label': target, self.classifier: pred}
        self.per_class = per_class_accuracy(pred, target, num_classes)
        groups = group_accuracy(self.per_class, self.class_groups())
        return dict(
            balanced=mean_accuracy(self.per_class),
            macro_f1=macro_f1(pred, target, num_classes),
            worst_class=worst_accuracy(self.per_class),
            head_tail_gap=groups['many'] - groups['few'],
        )
