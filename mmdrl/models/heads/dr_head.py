"""Classifier with the DR loss on the features it sees, and on further layers if wanted."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from mmpretrain.models.heads import ClsHead, LinearClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmdrl.errors import ConfigError
from mmdrl.functional.checks import is_static
from mmdrl.models.centroids import ClassCentroids
from mmdrl.models.class_counts import KeepsClassCounts
from mmdrl.models.losses import build_loss
from mmdrl.models.radius import ClassStatistics
from mmdrl.registry import MODELS

from . import prediction
from .classifier import build_classifier
from .divergence import DivergenceWatch
from .dr_layers import DRLayers, layer_settings, scaled
from .labels import Samples, as_host_samples, batch_targets, single_labels


@MODELS.register_module()
class DRHead(LinearClsHead, KeepsClassCounts):
    r"""Head with a linear classifier that keeps class centroids, adds the DR loss, and predicts in two ways.

    ``loss`` returns ``loss_cls`` and, where ``dr_loss`` is given, ``loss_dr``, the sum over layers
    :math:`\sum_l w_l L_l`. A class without a centroid yet is left out of it; ``dr_classes_without_centroid`` counts
    such classes, the most over the layers. ``predict`` adds ``ncm_label``, the class of the nearest centroid in the
    space that the classifier sees, to MMPretrain's ``pred_label`` and ``pred_score``. With mixed labels (mixup), which
    are for stages without DR loss, centroids stay as they are.

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
        classifier: Config of the classifier ``fc``, such as ``dict(type='mmdrl.CosineClassifier')``; sizes are filled
            in. Not given: ``nn.Linear``.
        loss: Config of the classification loss, whose ``num_classes`` is filled in. Not given: cross-entropy.
        predict_with: Which rule gives ``pred_label`` and ``pred_score``: ``'classifier'``, or ``'ncm'``, the nearest
            centroid, with the softmax of :math:`-|z - \mu_c|^2 / 2` as score, 0 for a class without a centroid.
        logit_adjustment: :math:`\tau`: ``predict`` subtracts :math:`\tau \log \pi_c`, with the share :math:`\pi_c` of
            class c in the training set, from the logits of the classifier (Menon et al., ICLR 2021, equation 9).
        **kwargs: As in MMPretrain's ``LinearClsHead``: ``topk``, ``cal_acc``, ``init_cfg``.

    Attributes:
        centroids: Of the features that the classifier sees.
        dr_layers: One :class:`mmdrl.models.DRLayer` per layer of the DR loss; empty without.
        class_counts: Training images per class, shape ``(K,)``, 0 before ``ClassCountsHook`` has set them.
        loss_scale: Factor of each loss in the stage that runs, set by ``TwoStageHook``.

    Raises:
        ConfigError: If a setting is out of range or the lists do not fit each other.
    """

    num_classes: int  # the host sets these
    in_channels: int
    _get_loss: Callable[..., dict[str, Tensor]]
    _get_predictions: Callable[..., list[DataSample]]

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
        classifier: dict[str, Any] | None = None,
        loss: dict[str, Any] | nn.Module | None = None,
        predict_with: prediction.Rule = 'classifier',
        logit_adjustment: float = 0.0,
        **kwargs: Any,
    ):
        if not isinstance(loss, nn.Module):
            loss = build_loss(loss or dict(type='CrossEntropyLoss'), num_classes)
        super().__init__(num_classes, in_channels, loss=loss, **kwargs)
        self.predict_with, self.logit_adjustment = prediction.checked_settings(predict_with, logit_adjustment)
        if classifier is not None:
            self.fc = build_classifier(classifier, in_channels, num_classes)
        self.centroids = ClassCentroids(num_classes, in_channels, **(centroids or {}))
        given = (dr_layers, dr_weights, dr_channels, dr_projection, dr_normalize, centroids)
        self.dr_layers = DRLayers(layer_settings(num_classes, in_channels, dr_loss, *given) if dr_loss else [])
        self.init_class_counts(num_classes, persistent=True)
        self.loss_scale = {'loss_cls': 1.0, 'loss_dr': 1.0}
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
        if not isinstance(features, Tensor):
            raise ConfigError(
                f'DRHead expects one tensor per layer, got a {type(features).__name__} of {len(features)}: this '
                'backbone is made for a head of its own. Let a neck of yours make one tensor of it.'
            )
        if features.ndim != 2 or features.shape[1] != self.in_channels:
            raise ConfigError(
                f'DRHead expects features (B, {self.in_channels}), got {tuple(features.shape)} from the neck. Set '
                'model.head.in_channels to their width, or pool them (GlobalAveragePooling).'
            )
        return features

    def loss(self, feats: tuple[Tensor, ...], data_samples: Samples, **kwargs: Any) -> dict[str, Tensor]:
        """Losses by name, each a scalar. Nothing is read from an accelerator.

        Args:
            feats: Features of the neck, ``(B, D_l)`` per layer; the classifier sees the last.
            data_samples: Ground truth of each sample.
            **kwargs: Passed to the classification loss.

        Raises:
            ConfigError: If class counts are unknown, features do not fit, or labels are mixed under the DR loss.
            DataError: If there is no sample, or (on the CPU) a label lies outside ``[0, K)``.
            DivergenceError: On the CPU, if a feature, a radius or a centroid in use is not finite; no centroid has
                changed by then. On an accelerator :meth:`check_divergence` says so.
        """
        features = self.pre_logits(feats)
        is_active, targets = len(self.dr_layers) > 0 and self.loss_scale['loss_dr'] > 0, batch_targets(data_samples)
        labels = single_labels(targets, self.num_classes, may_be_mixed=not is_active)
        samples = as_host_samples(targets) if type(self)._get_loss is ClsHead._get_loss else data_samples
        losses = self._get_loss(self.fc(features), samples, **kwargs)
        losses['loss_cls'] = scaled(losses.pop('loss'), self.loss_scale['loss_cls'])
        if labels is None:
            self._divergence.note_losses(losses)
            return losses
        with nullcontext() if is_active else torch.no_grad():  # compiled, is_active may be a symbol
            layer_features = self.dr_layers.features(feats)
        self._divergence.note_features(self.dr_layers.watched(feats, layer_features), labels)
        if not is_static(labels):
            self.check_divergence()
        if is_active:
            value, missing = self.dr_layers.losses(layer_features, labels, self.known_class_counts(), self.centroids)
            losses['loss_dr'] = scaled(value, self.loss_scale['loss_dr'])
            losses['dr_classes_without_centroid'] = missing
        self._divergence.note_losses(losses)
        for centroids, rows in [(self.centroids, features), *self.dr_layers.own_centroids(layer_features)]:
            centroids.update(rows, labels)
        return losses

    def collect(self, feats: tuple[Tensor, ...], labels: Tensor) -> None:
        """Add features to the sums of all centroids, outside of training steps; publish them afterwards.

        Args:
            feats: As for :meth:`loss`.
            labels: Shape ``(B,)``, long; B may differ between processes.
        """
        features, layer_features = self.pre_logits(feats), self.dr_layers.features(feats)
        self._divergence.note_features(self.dr_layers.watched(feats, layer_features), labels)
        for centroids, rows in [(self.centroids, features), *self.dr_layers.own_centroids(layer_features)]:
            centroids.accumulate(rows, labels)

    def check_divergence(self) -> None:
        """Wait for the device: were all features and losses since the last look finite? All processes must call it.

        Raises:
            DivergenceError: If not, naming class and layer, or the loss.
        """
        self._divergence.check()

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample | None] | None = None
    ) -> list[DataSample]:
        """Data samples with ``pred_score``, ``pred_label`` and, once there are centroids, ``ncm_label``.

        Raises:
            ConfigError: If the rule needs centroids, or class counts, that there are not.
        """
        features = self.pre_logits(feats)
        nearest = prediction.ncm_labels(features, self.centroids)
        samples = self._get_predictions(prediction.scores(self, features), data_samples)
        return prediction.with_ncm_labels(samples, nearest, is_prediction=self.predict_with == 'ncm')
