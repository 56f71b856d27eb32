"""Linear classifier with the DR loss on the features it sees."""

from typing import Any

import torch
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from mmdrl.errors import ConfigError
from mmdrl.functional import nearest_centroid
from mmdrl.models.centroids import ClassCentroids
from mmdrl.models.radius import ClassStatistics
from mmdrl.registry import MODELS


@MODELS.register_module()
class DRHead(LinearClsHead):
    """Linear head that keeps class centroids, adds the DR loss, and predicts in two ways.

    ``loss`` returns ``loss_cls`` and, where ``dr_loss`` is given, ``loss_dr``. A class without a centroid yet
    (in the first epoch, all of them) is left out of ``loss_dr``; ``dr_classes_without_centroid`` counts them.
    ``predict`` adds ``ncm_label``, the class of the nearest centroid, to MMPretrain's ``pred_label`` and
    ``pred_score``.

    Args:
        num_classes: K.
        in_channels: D, width of the features that the neck hands over.
        dr_loss: Config of ``mmdrl.DRLoss``. ``None``: no such loss, centroids for NCM only.
        centroids: Arguments of :class:`ClassCentroids`.
        **kwargs: As in MMPretrain's ``LinearClsHead``: ``loss``, ``topk``, ``cal_acc``, ``init_cfg``.

    Attributes:
        class_counts: Training images per class, shape ``(K,)``, 0 before ``ClassCountsHook`` has set them.
        loss_scale: Factor of each loss in the stage that runs, set by ``TwoStageHook``.
    """

    class_counts: Tensor

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        dr_loss: dict[str, Any] | None = None,
        centroids: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, in_channels, **kwargs)
        self.dr_loss: Any = MODELS.build({'num_classes': num_classes, **dr_loss}) if dr_loss else None
        self.centroids = ClassCentroids(num_classes, in_channels, **(centroids or {}))
        self.register_buffer('class_counts', torch.zeros(num_classes, dtype=torch.long))
        self.loss_scale = {'loss_cls': 1.0, 'loss_dr': 1.0}
        self._has_class_counts = False

    @property
    def statistics(self) -> ClassStatistics:
        """What the radius policy may know of the training set."""
        return ClassStatistics(counts=self.class_counts)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Features that the classifier sees, shape ``(B, D)``.

        Raises:
            ConfigError: If the neck hands over features of another shape.
        """
        features: Tensor = super().pre_logits(feats)
        if features.ndim != 2 or features.shape[1] != self.in_channels:
            raise ConfigError(
                f'DRHead expects features (B, {self.in_channels}), got {tuple(features.shape)} from the neck. Set '
                'model.head.in_channels to their width, or pool them (GlobalAveragePooling).'
            )
        return features

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample], **kwargs: Any) -> dict[str, Tensor]:
        """Losses by name, each a scalar.

        Args:
            feats: Features of the neck, one tensor per layer; the last, shape ``(B, D)``, is used.
            data_samples: Ground truth of each sample.
            **kwargs: Passed to the classification loss.

        Raises:
            ConfigError: If class counts are unknown, or labels are mixed (mixup, cutmix) under the DR loss.
        """
        features = self.pre_logits(feats)
        losses = self._get_loss(self.fc(features), data_samples, **kwargs)
        losses['loss_cls'] = self.loss_scale['loss_cls'] * losses.pop('loss')
        if 'gt_score' in data_samples[0]:
            if self.dr_loss is not None:
                raise ConfigError(
                    'The DR loss needs one label per sample, got mixed labels (gt_score). Remove mixup/cutmix '
                    'from the data preprocessor, or train with dr_loss=None.'
                )
            return losses
        labels = torch.cat([sample.gt_label for sample in data_samples])
        self.centroids.accumulate(features, labels)
        if self.dr_loss is not None and self.loss_scale['loss_dr'] > 0:
            losses.update(self._dr_losses(features, labels))
        return losses

    def _dr_losses(self, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
        if not self._has_class_counts and not self.class_counts.any():
            raise ConfigError(
                'DRHead does not know the training images per class. Add mmdrl.ClassCountsHook to the hooks, or call '
                'head.set_class_counts(counts).'
            )
        self._has_class_counts = True  # looked at once: reading a buffer stalls an accelerator
        seen = self.centroids.is_seen
        value = self.dr_loss(features, labels, self.centroids.centroids, self.statistics, seen.to(features.dtype))
        return {
            'loss_dr': self.loss_scale['loss_dr'] * value,
            'dr_classes_without_centroid': (~seen).sum().float(),
        }

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample | None] | None = None
    ) -> list[DataSample]:
        """Data samples with ``pred_score``, ``pred_label`` and, once there are centroids, ``ncm_label``."""
        predictions = super().predict(feats, data_samples)
        seen = self.centroids.is_seen.nonzero().flatten()
        if len(seen):
            nearest = seen[nearest_centroid(self.pre_logits(feats), self.centroids.centroids[seen])]
            for sample, label in zip(predictions, nearest, strict=True):
                sample.set_field(label[None], 'ncm_label')
        return predictions

    def set_class_counts(self, counts: Tensor) -> None:
        """Take over the training images per class, shape ``(K,)``, each at least 1."""
        if counts.shape != self.class_counts.shape or (counts < 1).any():
            raise ConfigError(
                f'Expected counts of {self.num_classes} classes, each at least 1, got {counts.tolist()}. Does '
                'num_classes of the head match the data set?'
            )
        self.class_counts.copy_(counts)
