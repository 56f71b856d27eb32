"""What the samples of a training batch are of: one label each, or mixed ones."""

from collections.abc import Sequence
from typing import Any

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from mmdrl.batch_samples import BatchSamples
from mmdrl.errors import ConfigError, DataError
from mmdrl.functional import check_labels
from mmdrl.functional.checks import is_static

Samples = BatchSamples | Sequence[DataSample]


class Target:
    """As much of a data sample as the classification loss of MMPretrain's heads looks at.

    Args:
        gt_label: One label or more, shape ``(B,)``; ``None`` if they are mixed.
        gt_score: Mixed labels of one sample, shape ``(K,)``.
    """

    def __init__(self, gt_label: Tensor | None = None, gt_score: Tensor | None = None):
        self.gt_label, self.gt_score = gt_label, gt_score

    def __contains__(self, name: str) -> bool:
        return getattr(self, name) is not None


def batch_targets(data_samples: Samples) -> Tensor:
    """Labels ``(B,)``, or mixed ones (mixup and the like) ``(B, K)``; no object per sample is made.

    Raises:
        DataError: If there is no sample, or one has several labels or none.
    """
    if not len(data_samples):
        raise DataError('Expected at least one image in a batch, got none.')
    if isinstance(data_samples, BatchSamples):
        known = data_samples.labels if data_samples.scores is None else data_samples.scores
        if known is None:
            raise DataError('DRHead expects one label per sample, got none. Do the data have labels (gt_label)?')
        return known
    if 'gt_score' in data_samples[0]:
        return torch.stack([sample.gt_score for sample in data_samples])
    labels = torch.cat([sample.gt_label for sample in data_samples])
    if len(labels) != len(data_samples):
        several = next(len(sample.gt_label) for sample in data_samples if len(sample.gt_label) != 1)
        raise DataError(
            f'DRHead expects one label per sample, got {several}. Data with several labels per image need a head of '
            "MMPretrain's, such as MultiLabelLinearClsHead, without the DR loss."
        )
    return labels


def as_host_samples(targets: Tensor) -> list[Any]:
    """What MMPretrain's heads put together to these targets, labels ``(B,)`` or mixed ones ``(B, K)``."""
    if targets.ndim == 1:
        return [Target(gt_label=targets)]
    return [Target(gt_score=row) for row in targets.unbind()]


def single_labels(targets: Tensor, num_classes: int, may_be_mixed: bool) -> Tensor | None:
    """Label of every sample, shape ``(B,)``; ``None`` if they are mixed and may be.

    Args:
        targets: Of :func:`batch_targets`.
        num_classes: K.
        may_be_mixed: Whether nothing needs one label per sample, which the DR loss does.

    Raises:
        ConfigError: If labels are mixed and may not be.
        DataError: If (on the CPU) a label lies outside ``[0, K)``.
    """
    if targets.ndim > 1:
        if may_be_mixed:
            return None
        raise ConfigError(
            'The DR loss needs one label per sample, got mixed labels (gt_score). Remove mixup/cutmix from the data '
            'preprocessor, or train without the loss: dr_loss=None, or loss_weights=dict(loss_dr=0.) of a stage.'
        )
    if not is_static(targets):
        try:
            check_labels(targets, num_classes)
        except ValueError as error:
            raise DataError(str(error)) from None
    return targets
