"""Labels of a training batch."""

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from mmdrl.errors import ConfigError, DataError
from mmdrl.functional import check_labels


def single_labels(data_samples: list[DataSample], num_classes: int, may_be_mixed: bool) -> Tensor | None:
    """Label of every sample, shape ``(B,)``; ``None`` if they are mixed (mixup and the like) and may be.

    Args:
        data_samples: The batch.
        num_classes: K.
        may_be_mixed: Whether nothing needs one label per sample, which the DR loss does.

    Raises:
        ConfigError: If labels are mixed and may not be.
        DataError: If there is no sample, one has several labels or none, or (on the CPU) a label lies outside
            ``[0, K)``.
    """
    if not data_samples:
        raise DataError('Expected at least one image in a batch, got none.')
    if 'gt_score' in data_samples[0]:
        if may_be_mixed:
            return None
        raise ConfigError(
            'The DR loss needs one label per sample, got mixed labels (gt_score). Remove mixup/cutmix from the data '
            'preprocessor, or train without the loss: dr_loss=None, or loss_weights=dict(loss_dr=0.) of a stage.'
        )
    labels = torch.cat([sample.gt_label for sample in data_samples])
    if len(labels) != len(data_samples):
        several = next(len(sample.gt_label) for sample in data_samples if len(sample.gt_label) != 1)
        raise DataError(
            f'DRHead expects one label per sample, got {several}. Data with several labels per image need a head of '
            "MMPretrain's, such as MultiLabelLinearClsHead, without the DR loss."
        )
    if labels.device.type == 'cpu':
        try:
            check_labels(labels, num_classes)
        except ValueError as error:
            raise DataError(str(error)) from None
    return labels
