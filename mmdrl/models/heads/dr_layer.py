"""What the DR loss needs on one layer of the network."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.ops import MLP

from mmdrl.errors import ConfigError
from mmdrl.functional import at_least_float32, directions
from mmdrl.models.centroids import ClassCentroids
from mmdrl.registry import MODELS

ON_SPHERE = ('chord', 'cosine')  # distances between directions


class DRLayer(BaseModule):
    """The features of one layer as the DR loss sees them, its loss, and its centroids.

    Args:
        num_classes: K.
        in_channels: Width of the layer.
        dr_loss: Config of ``mmdrl.DRLoss``.
        position: Which of the feature tensors that the neck hands over, as an index of Python: -1 is the last.
        weight: Factor of this layer's loss in ``loss_dr``, not negative.
        projection: Widths of an MLP between layer and loss, ReLU between its linear layers; the last is the D of the
            loss. Empty: none.
        normalize: Whether to bring the features to length 1 before centroids and loss. ``None``: if the loss has the
            distance ``'chord'`` or ``'cosine'``, which compare directions.
        centroids: Arguments of :class:`ClassCentroids`.

    Attributes:
        centroids: Of the features that the loss sees; ``None`` if those are what the classifier sees, of
            which the head has centroids.

    Raises:
        ConfigError: If ``normalize=False`` meets a distance between directions.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        dr_loss: dict[str, Any],
        position: int = -1,
        weight: float = 1.0,
        projection: tuple[int, ...] = (),
        normalize: bool | None = None,
        centroids: dict[str, Any] | None = None,
    ):
        super().__init__()
        self.dr_loss = MODELS.build({'num_classes': num_classes, **dr_loss})
        self.in_channels = in_channels
        self.position = position
        self.weight = weight
        distance = getattr(self.dr_loss, 'distance', None)
        if normalize is False and distance in ON_SPHERE:
            raise ConfigError(
                f'dr_normalize=False does not fit the distance {distance!r}, which compares directions: centroids, '
                'spreads and measured radii would be in another unit than it. Leave dr_normalize out.'
            )
        self.normalize = distance in ON_SPHERE if normalize is None else normalize
        self.projection = MLP(in_channels, list(projection)) if projection else None
        is_classifiers = position == -1 and not projection and not self.normalize
        width = projection[-1] if projection else in_channels
        self.centroids = None if is_classifiers else ClassCentroids(num_classes, width, **(centroids or {}))

    def init_weights(self) -> None:
        """Initialise the projection as torch does; the head's rule, which suits a classifier, would make it tiny."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
        self._is_init = True

    def select(self, feats: tuple[Tensor, ...]) -> Tensor:
        """This layer's features, shape ``(B, in_channels)``, out of those of the neck.

        Raises:
            ConfigError: If the neck does not hand the layer over, or with another shape.
        """
        if not -len(feats) <= self.position < len(feats):
            raise ConfigError(
                f'dr_layers names layer {self.position}, but the neck hands over {len(feats)}. Let '
                'model.backbone.out_indices name the stages that are wanted, the last of them for the classifier.'
            )
        features = feats[self.position]
        if features.ndim != 2:
            raise ConfigError(
                f'The DR loss expects features (B, D) of layer {self.position}, got {tuple(features.shape)} from the '
                "neck. Pool them: model.neck=dict(type='GlobalAveragePooling')."
            )
        if features.shape[1] != self.in_channels:
            raise ConfigError(
                f'The DR loss expects width {self.in_channels} of layer {self.position}, got {features.shape[1]} from '
                'the neck. Let model.head.dr_channels name the widths of the layers in dr_layers.'
            )
        return features

    def own_or(self, shared: ClassCentroids) -> ClassCentroids:
        """Centroids of what the loss sees: the layer's own, or those of the head if it has none."""
        return shared if self.centroids is None else self.centroids

    def forward(self, features: Tensor) -> Tensor:
        """Features as the loss sees them, shape ``(B, D)``, projected and normalised if the layer does so."""
        if self.projection is not None:
            features = self.projection(features)
        if self.normalize:
            # A row of zeros stays zero, with a finite gradient.
            features = directions(features).to(at_least_float32(features).dtype)
        return features
