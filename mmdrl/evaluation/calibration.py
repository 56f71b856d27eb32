"""Whether the probabilities of the linear classifier can be believed, over all samples and by shot group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from mmdrl.datasets.labels import check_labels
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import METRICS
from mmdrl.stats import SHOT_GROUPS, Edges

from .grouped_metric import GroupedMetric
from .predicted_labels import flat_labels
from .reliability import brier_scores, calibration_errors, reliability_bins

TOLERANCE = 0.01  # of the sum of a sample's probabilities; bfloat16 is off by some thousandths


@METRICS.register_module()
class Calibration(GroupedMetric):
    """``ece`` and ``mce`` in percent and ``brier`` in [0, 2]; ``ece_many``, ``brier_few`` and so on by shot group.

    The probabilities are ``pred_score``: whatever the head predicts with, adjusted or not. A group has the samples
    whose *true* class is in it, each weighs the same; one without a sample is nan. After an evaluation ``per_sample``
    holds ``label``, ``linear`` (predicted labels), ``confidence`` (largest probability) and ``brier``, shape ``(N,)``;
    on the main process only. That is also all that is kept of a sample: never its K scores.

    Args:
        num_bins: Bins of equal width, from 0 to 1.
        many: Edge of the many-shot group, in training images. None: that of the first ``ShotAccuracy`` of the
            evaluator, as ``mmdrl.ClassCountsHook`` hands it on, else 100.
        few: Edge of the few-shot group. None: likewise, else 20.
        edges: Where a class exactly on an edge belongs. None: likewise, else ``'exclusive'``.
        class_counts: Training images per class, shape ``(K,)``. None: the hook sets them.
        prefix: Put before the names.
        collect_device: ``'cpu'`` or ``'gpu'``, of MMEngine's collection over processes.
        collect_dir: Folder shared by the processes for the collection on the CPU.

    Raises:
        ConfigError: If an argument is out of range, or there are no class counts when they are needed.
        DataError: If a prediction has no scores, or they are no probabilities, or do not fit the labels.

    Source: Guo et al., ICML 2017 (ECE, MCE); Brier, 1950.
    """

    rules = dict.fromkeys(
        (
            f'{name}{group}'
            for group in ('', *(f'_{group}' for group in SHOT_GROUPS))
            for name in ('ece', 'mce', 'brier')
        ),
        'less',
    )

    def __init__(
        self,
        num_bins: int = 15,
        many: int | None = None,
        few: int | None = None,
        edges: Edges | None = None,
        class_counts: ArrayLike | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ):
        super().__init__(many, few, edges, class_counts, prefix, collect_device, collect_dir)
        try:
            reliability_bins([], [], num_bins)
        except DataError as error:
            raise ConfigError(f'Calibration: {error}') from error
        self.num_bins = num_bins

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep four numbers per sample: true and predicted label, confidence, Brier score."""
        num_lacking = sum('pred_score' not in sample for sample in data_samples)
        if num_lacking:
            raise DataError(
                f"Calibration needs 'pred_score' of every data sample, but {num_lacking} of {len(data_samples)} lack "
                'it. Leave Calibration out if the head predicts labels alone.'
            )
        rows = [torch.as_tensor(sample['pred_score']) for sample in data_samples]
        shapes = sorted({tuple(row.shape) for row in rows})
        if len(shapes) > 1 or len(shapes[0]) != 1:
            raise DataError(f"'pred_score' of every sample must have shape (K,), got {', '.join(map(str, shapes))}.")
        scores = torch.stack(rows)
        labels = flat_labels(data_samples, 'gt_label').to(scores.device)
        has_labels = all('pred_label' in sample for sample in data_samples)
        predicted = flat_labels(data_samples, 'pred_label').to(scores.device) if has_labels else scores.argmax(dim=1)
        target, pred = torch.stack([labels, predicted]).tolist()  # one look at the device, and one below
        # A label outside would end a CUDA process without a word.
        check_labels(target, scores.shape[1], where='The true labels')
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        # On the CPU amin and amax take a tenth of the time of aminmax.
        lowest, confidence = scores.amin(dim=1), scores.amax(dim=1)
        numbers = torch.stack([scores.sum(dim=1), lowest, confidence, brier_scores(scores, labels)]).tolist()
        _check_probabilities(*numbers[:2])
        self.results.extend(zip(target, pred, *numbers[2:], strict=True))

    def compute_metrics(self, results: list[tuple[int, int, float, float]]) -> dict[str, float]:
        """Twelve values; sets ``per_sample``."""
        columns = list(zip(*results, strict=True)) or [(), (), (), ()]
        label, pred = (np.asarray(column, dtype=np.int64) for column in columns[:2])
        confidence, brier = (np.asarray(column, dtype=np.float32) for column in columns[2:])
        self.per_sample = dict(label=label, linear=pred, confidence=confidence, brier=brier)
        check_labels(label, len(self.known_class_counts()), where='The true labels')
        values = {}
        groups = {'': np.ones(len(label), dtype=bool)}
        groups |= {f'_{name}': mask[label] for name, mask in self.class_groups().items()}
        for name, mask in groups.items():
            # Softmax may round to a little more than 1.
            bins = reliability_bins(np.minimum(confidence[mask], 1), (pred == label)[mask], self.num_bins)
            values[f'ece{name}'], values[f'mce{name}'] = calibration_errors(bins)
            values[f'brier{name}'] = float(brier[mask].mean(dtype=np.float64)) if mask.any() else float('nan')
        return values


def _check_probabilities(sums: list[float], lowest: list[float]) -> None:
    """Sums and smallest of the scores of each sample must be those of probabilities."""
    for total, least in zip(sums, lowest, strict=True):
        if not (abs(total - 1) <= TOLERANCE and least >= -TOLERANCE):  # nan is neither
            raise DataError(
                f"Calibration needs probabilities in 'pred_score', got scores whose sum is {total:.4g} and whose "
                f'smallest is {least:.4g}. Have the head predict with softmax, or leave Calibration out.'
            )
