"""Linear classifier with the DR loss on the features it sees, and on further layers if wanted."""

from collections.abc import Iterator
from typing import Any

import torch
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from mmdrl.errors import ConfigError, DataError
from mmdrl.functional import check_labels, nearest_centroid
from mmdrl.models.centroids import ClassCentroids
from mmdrl.models.radius import ClassStatistics
from mmdrl.registry import MODELS

from .divergence import DivergenceWatch
from .dr_layers import DRLayers, layer_settings


@MODELS.register_module()
class DRHead(LinearClsHead):
    r"""Linear head that keeps class centroids, adds the DR loss, and predicts in two ways.

    ``loss`` returns ``loss_cls`` and, where ``dr_loss`` is given, ``loss_dr``, the sum over layers
    :math:`\sum_l w_l L_l`. A class without a centroid yet is left out of it; ``dr_classes_without_centroid`` counts
    such classes, the most over the layers. ``predict`` adds ``ncm_label``, the class of the nearest centroid in the
    space that the classifier sees, to MMPretrain's ``pred_label`` and ``pred_score``.

    Args:
        num_classes: K.
        in_channels: D, width of the last features that the neck hands over, which the classifier sees.
        dr_loss: Config of ``mmdrl.DRLoss``, used for every layer with radii of its own, or one config per layer.
            ``None``: no such loss, centroids for NCM only.
        dr_layers: Layers on which the loss acts, as positions in what the neck hands over; -1 is the last.
        dr_weights: :math:`w_l`, one per layer, not negative; all 1 if not given.
        dr_channels: Width of each of these layers; may be left out for ``(-1,)``.
        dr_projection: Widths of an MLP between each layer and its loss, such as ``(512, 128)``, with weights of each
            layer's own. Not given: none.
        dr_normalize: Whether the loss and its centroids see features of length 1. Not given: where its distance
            is ``'chord'`` or ``'cosine'``, where it cannot be switched off.
        centroids: Arguments of :class:`ClassCentroids`, for those of the head and of the layers.
        **kwargs: As in MMPretrain's ``LinearClsHead``: ``loss``, ``topk``, ``cal_acc``, ``init_cfg``.

    Attributes:
        centroids: Of the features that the classifier sees.
        dr_layers: One :class:`mmdrl.models.DRLayer` per layer of the DR loss; empty without.
        class_counts: Training images per class, shape ``(K,)``, 0 before ``ClassCountsHook`` has set them.
        loss_scale: Factor of each loss in the stage that runs, set by ``TwoStageHook``.

    Raises:
        ConfigError: If a setting is out of range or the lists do not fit each other.
    """

    class_counts: Tensor

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        dr_loss: dict[str, Any] | list[dict[str, Any]] | None = None,
        dr_layers: tuple[int, ...] = (-1,),
        dr_weights: tuple[float, ...] | None = None,
        dr_channels: tuple[int, ...] | None = None,
        dr_projection: tuple[int, ...] | None = None,
        dr_normalize: bool | None = None,
        centroids: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(num_classes, in_channels, **kwargs)
        self.centroids = ClassCentroids(num_classes, in_channels, **(centroids or {}))
        given = (dr_layers, dr_weights, dr_channels, dr_projection, dr_normalize, centroids)
        self.dr_layers = DRLayers(layer_settings(num_classes, in_channels, dr_loss, *given) if dr_loss else [])
        self.register_buffer('class_counts', torch.zeros(num_classes, dtype=torch.long))
        self.loss_scale = {'loss_cls': 1.0, 'loss_dr': 1.0}
        self._has_class_counts = False
        self._divergence = DivergenceWatch(self.dr_layers.watched_names)

    @property
    def dr_loss(self) -> Any:
        """DR loss of the last layer in ``dr_layers``, ``None`` without."""
        return self.dr_layers[-1].dr_loss if len(self.dr_layers) else None

    @property
    def statistics(self) -> ClassStatistics:
        """What is known of the classes, in the space that the classifier sees."""
        return ClassStatistics(self.class_counts, self.centroids.spreads)

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
        """Losses by name, each a scalar. Nothing is read from an accelerator.

        Args:
            feats: Features of the neck, ``(B, D_l)`` per layer; the classifier sees the last.
            data_samples: Ground truth of each sample.
            **kwargs: Passed to the classification loss.

        Raises:
            ConfigError: If class counts are unknown, the features do not fit the settings, or labels are mixed
                (mixup, cutmix) under the DR loss.
            DataError: If there is no sample, or (on the CPU) a label lies outside ``[0, K)``.
            DivergenceError: On the CPU, if a feature, a radius or a centroid in use is not finite; no centroid has
                changed by then. On an accelerator :meth:`check_divergence` says so.
        """
        features = self.pre_logits(feats)
        labels = self._labels(data_samples)
        losses = self._get_loss(self.fc(features), data_samples, **kwargs)
        losses['loss_cls'] = self.loss_scale['loss_cls'] * losses.pop('loss')
        if labels is None:
            self._divergence.note_losses(losses)
            return losses
        is_active = len(self.dr_layers) > 0 and self.loss_scale['loss_dr'] > 0
        with torch.set_grad_enabled(is_active and torch.is_grad_enabled()):
            layer_features = self.dr_layers.features(feats)
        self._divergence.note_features(self.dr_layers.watched(feats, layer_features), labels)
        if labels.device.type == 'cpu':
            self.check_divergence()
        if is_active:
            losses.update(self._dr_losses(layer_features, labels))
        self._divergence.note_losses(losses)
        for centroids, rows in self._centroid_features(feats, layer_features):
            centroids.update(rows, labels)
        return losses

    def collect(self, feats: tuple[Tensor, ...], labels: Tensor) -> None:
        """Add features to the sums of all centroids, outside of training steps; publish them afterwards.

        Args:
            feats: As for :meth:`loss`.
            labels: Shape ``(B,)``, long. B may differ between processes.
        """
        layer_features = self.dr_layers.features(feats)
        self._divergence.note_features(self.dr_layers.watched(feats, layer_features), labels)
        for centroids, rows in self._centroid_features(feats, layer_features):
            centroids.accumulate(rows, labels)

    def check_divergence(self) -> None:
        """Wait for the device and look whether all features and losses since the last look were finite.

        All processes must call it.

        Raises:
            DivergenceError: If not, naming class and layer, or the loss.
        """
        self._divergence.check(self.class_counts.device)

    def _labels(self, data_samples: list[DataSample]) -> Tensor | None:
        """Labels, shape ``(B,)``; ``None`` if they are mixed and nothing here needs them."""
        if not data_samples:
            raise DataError('Expected at least one image in a batch, got none.')
        if 'gt_score' in data_samples[0]:
            if len(self.dr_layers):
                raise ConfigError(
                    'The DR loss needs one label per sample, got mixed labels (gt_score). Remove mixup/cutmix '
                    'from the data preprocessor, or train with dr_loss=None.'
                )
            return None
        labels = torch.cat([sample.gt_label for sample in data_samples])
        if labels.device.type == 'cpu':
            try:
                check_labels(labels, self.num_classes)
            except ValueError as error:
                raise DataError(str(error)) from None
        return labels

    def _centroid_features(
        self, feats: tuple[Tensor, ...], layer_features: list[Tensor]
    ) -> Iterator[tuple[ClassCentroids, Tensor]]:
        """All centroids and the features that they are of."""
        yield self.centroids, self.pre_logits(feats)
        for layer, rows in zip(self.dr_layers, layer_features, strict=True):
            if layer.centroids is not None:
                yield layer.centroids, rows

    def _dr_losses(self, layer_features: list[Tensor], labels: Tensor) -> dict[str, Tensor]:
        if not self._has_class_counts and not self.class_counts.any():
            raise ConfigError(
                'DRHead does not know the training images per class. Add mmdrl.ClassCountsHook to the hooks, or call '
                'head.set_class_counts(counts).'
            )
        self._has_class_counts = True  # looked at once: reading a buffer stalls an accelerator
        value, missing = self.dr_layers.losses(layer_features, labels, self.class_counts, self.centroids)
        return {'loss_dr': self.loss_scale['loss_dr'] * value, 'dr_classes_without_centroid': missing.float()}

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
        self._has_class_counts = True
