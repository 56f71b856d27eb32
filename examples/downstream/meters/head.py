"""MMPretrain's classifier of several layers, with the DR loss on the last hidden one."""

from typing import Any

import torch
from mmpretrain.models.heads import StackedLinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from meters.registry import MODELS
from mmdrl.models import ClassCentroids, ClassStatistics, DRLoss, KeepsClassCounts


@MODELS.register_module()
class HiddenDRHead(StackedLinearClsHead, KeepsClassCounts):
    """Arguments as MMPretrain's, and ``dr_loss``, those of ``mmdrl.DRLoss``.

    The hooks of ``mmdrl`` find its parts by their classes: ``ClassCountsHook`` whatever is a ``KeepsClassCounts``,
    ``CentroidHook`` every ``ClassCentroids``.
    """

    def __init__(self, num_classes: int, in_channels: int, mid_channels: list[int], dr_loss: dict, **kwargs: Any):
        super().__init__(num_classes, in_channels, mid_channels, **kwargs)
        self.dr_loss = DRLoss(num_classes, **dr_loss)
        self.centroids = ClassCentroids(num_classes, mid_channels[-1])
        self.init_class_counts(num_classes, persistent=True)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kwargs: Any) -> dict[str, Tensor]:
        """Classification loss and DR loss; the centroids take notice of the features."""
        hidden = self.pre_logits(feats)
        labels = torch.cat([sample.gt_label for sample in data_samples])
        known = self.centroids
        statistics = ClassStatistics(self.known_class_counts(), known.spreads)
        losses = self._get_loss(self.fc(hidden), data_samples, **kwargs)
        losses['loss_dr'] = self.dr_loss(hidden, labels, known.centroids, statistics, known.is_seen)
        known.update(hidden, labels)
        return losses
