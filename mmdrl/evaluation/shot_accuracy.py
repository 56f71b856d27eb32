"""Accuracy by many-, medium- and few-shot classes, for the linear classifier or the nearest centroid.

Classes are grouped by their number of *training* images. A group's accuracy is the mean over its
classes, not over its images, and a group or class without a test image is nan rather than 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from numpy.typing import ArrayLike, NDArray

from mmdrl.datasets.labels import check_labels
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import METRICS
from mmdrl.stats import Edges, shot_groups

Classifier = Literal['linear', 'ncm']
_LABEL_FIELD = {'linear': 'pred_label', 'ncm': 'ncm_label'}


def per_class_accuracy(pred: ArrayLike, target: ArrayLike, num_classes: int) -> NDArray[np.float64]:
    """Accuracy of every class in percent, nan for a class without a sample.

    Args:
        pred: Predicted labels, shape ``(N,)``.
        target: True labels, shape ``(N,)``, in ``[0, num_classes)``.
        num_classes: K.

    Returns:
        Accuracies, shape ``(K,)``.

    Raises:
        DataError: If the shapes differ or a true label lies outside.
    """
    pred, target = np.asarray(pred, dtype=np.int64), np.asarray(target, dtype=np.int64)
    if pred.ndim != 1 or pred.shape != target.shape:
        raise DataError(f'pred and target must both have shape (N,), got {pred.shape} and {target.shape}.')
    check_labels(target, num_classes, where='The true labels')
    total = np.bincount(target, minlength=num_classes)
    correct = np.bincount(target[pred == target], minlength=num_classes)
    return np.divide(100.0 * correct, total, out=np.full(num_classes, np.nan), where=total > 0)


def group_accuracy(per_class: ArrayLike, groups: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Mean accuracy of the classes of each group, over those that are not nan; nan if there are none.

    Args:
        per_class: Accuracies, shape ``(K,)``, any unit.
        groups: Masks, each of shape ``(K,)``, as :func:`mmdrl.stats.shot_groups` returns them.

    Returns:
        One number per group, in the unit of ``per_class``.
    """
    per_class = np.asarray(per_class, dtype=np.float64)
    is_tested = ~np.isnan(per_class)
    means = {}
    for name, mask in groups.items():
        members = per_class[np.asarray(mask, dtype=bool) & is_tested]
        means[name] = float(members.mean()) if members.size else float('nan')
    return means


@METRICS.register_module()
class ShotAccuracy(BaseMetric):
    """Accuracy in percent: ``many``, ``medium``, ``few`` (means over classes) and ``all`` (over samples).

    After an evaluation ``per_class`` holds the accuracy of each class, shape ``(K,)``, percent, nan where
    the test set has no image; on the main process only, as MMEngine computes metrics there.

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

    default_prefix = ''  # None would make MMEngine warn about a prefix not set

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
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if classifier not in get_args(Classifier):
            raise ConfigError(f'classifier must be one of {get_args(Classifier)}, got {classifier!r}.')
        try:
            shot_groups([], many, few, edges)
        except ValueError as error:
            raise ConfigError(f'ShotAccuracy cannot group the classes. {error}') from error
        self.many = many
        self.few = few
        self.edges = edges
        self.classifier = classifier
        self.class_counts = class_counts
        self.per_class: NDArray[np.float64] | None = None

    @property
    def class_counts(self) -> NDArray[np.int64] | None:
        """Training images per class, shape ``(K,)``; takes a sequence, an array or a tensor."""
        return self._class_counts

    @class_counts.setter
    def class_counts(self, counts: ArrayLike | torch.Tensor | None) -> None:
        if counts is not None:
            counts = torch.as_tensor(counts).cpu().numpy()
            if counts.ndim != 1 or counts.size == 0 or counts.dtype.kind not in 'iu' or counts.min() < 0:
                raise ConfigError(
                    'class_counts must be integers of shape (K,), none negative, '
                    f'got {counts.dtype} of shape {counts.shape}: {counts}.'
                )
        self._class_counts = counts

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep one pair (predicted, true) per sample; predicted is -1 where there is no ``ncm_label``."""
        field = _LABEL_FIELD[self.classifier]
        num_predicted = sum(field in sample for sample in data_samples)
        if num_predicted < len(data_samples) and (num_predicted or self.classifier == 'linear'):
            raise DataError(
                f"Every data sample needs '{field}' for classifier='{self.classifier}', "
                f'but {len(data_samples) - num_predicted} of {len(data_samples)} lack it. '
                'Does the head predict it?'
            )
        target = _flat_labels(data_samples, 'gt_label')
        pred = _flat_labels(data_samples, field) if num_predicted else [-1] * len(data_samples)
        self.results.extend(zip(pred, target, strict=True))

    def evaluate(self, size: int) -> dict[str, float]:
        """Metrics over the samples of all processes, without the ones that only pad the last batch."""
        # Here every process raises; in compute_metrics the main one alone would, and the others wait.
        self._require_class_counts()
        return super().evaluate(size)

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict[str, float]:
        """The four accuracies, in percent; sets ``per_class``."""
        counts = self._require_class_counts()
        pred, target = np.asarray(results, dtype=np.int64).reshape(-1, 2).T
        is_missing = pred < 0
        if is_missing.all():
            self.per_class = np.full(len(counts), np.nan)
            overall = float('nan')
        elif is_missing.any():
            raise DataError(
                f"{is_missing.sum()} of {len(pred)} samples lack 'ncm_label' and the others have it. "
                'Were the centroids of all processes set at the same time?'
            )
        else:
            self.per_class = per_class_accuracy(pred, target, len(counts))
            overall = float(100.0 * (pred == target).mean())
        groups = shot_groups(counts, self.many, self.few, self.edges)
        return {**group_accuracy(self.per_class, groups), 'all': overall}

    def _require_class_counts(self) -> NDArray[np.int64]:
        """The class counts, or an error that says where they should have come from."""
        if self.class_counts is None:
            raise ConfigError(
                'ShotAccuracy needs the training images per class to group the classes, but got none. Add '
                'mmdrl.ClassCountsHook to the hooks or give class_counts=[...].'
            )
        return self.class_counts


def _flat_labels(data_samples: Sequence[dict], field: str) -> list[int]:
    """One label per sample, moved to the CPU in one go."""
    labels = [torch.as_tensor(sample[field]).reshape(-1) for sample in data_samples]
    if any(len(label) != 1 for label in labels):
        raise DataError(f"'{field}' must be one label per sample; multi-label data have no shot accuracy.")
    return torch.cat(labels).tolist()
