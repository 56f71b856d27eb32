"""The DR loss as a module: holds its settings and the radius policy, calls ``functional.dr_loss``."""

import math
from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmdrl.errors import ConfigError
from mmdrl.functional import ClassWeight, Distance, Scope, class_weights, dr_loss
from mmdrl.models.gather import gather_rows
from mmdrl.models.radius import ClassStatistics, RadiusPolicy
from mmdrl.registry import MODELS


@MODELS.register_module()
class DRLoss(nn.Module):
    """Distributional Robustness loss over the batch of all processes.

    Features and labels are gathered with gradient, so value and gradient are those of one process with the
    whole batch: the softmax of the loss runs over the samples of the batch.

    Args:
        num_classes: K. ``DRHead`` passes its own, so configs leave it out.
        radius: Config of a radius policy; ``dict(type='mmdrl.CountRadius', scale=1.0)`` if not given.
        distance: See :func:`mmdrl.functional.dr_loss`, as for the next three.
        temperature: T, in the unit of the distance.
        margin: m. With ``scope='sample'``, 2 makes the loss an upper bound.
        scope: Which samples carry the margin.
        loss_weight: lambda, what the loss is multiplied by.
        class_weight: How much each class counts, from the training images it has: see
            :func:`mmdrl.functional.class_weights`. ``'none'``: all alike.
        beta: Of ``class_weight='effective'``, in ``[0, 1)``.

    Attributes:
        distance: The distance, for who must know in which unit radii are.

    Raises:
        ConfigError: If the radius policy is unknown or gives something else than one radius per class, or a value
            is out of range.
    """

    def __init__(
        self,
        num_classes: int,
        radius: dict[str, Any] | None = None,
        distance: Distance = 'euclidean',
        temperature: float = 1.0,
        margin: float = 1.0,
        scope: Scope = 'class',
        loss_weight: float = 1.0,
        class_weight: ClassWeight = 'none',
        beta: float = 0.9999,
    ):
        super().__init__()
        if not isinstance(loss_weight, (int, float)) or not 0 <= loss_weight < math.inf:
            raise ConfigError(f'DRLoss: loss_weight must be a finite number and not negative, got {loss_weight!r}.')
        self.distance = distance
        self.settings: dict[str, Any] = dict(distance=distance, temperature=temperature, margin=margin, scope=scope)
        try:  # the functions know what they take; ask them now, not after an epoch
            dr_loss(torch.zeros(1, 1), torch.zeros(1).long(), torch.zeros(1, 1), torch.zeros(1), **self.settings)
            class_weights(torch.ones(1), class_weight, beta)
        except (ValueError, TypeError) as error:
            raise ConfigError(f'DRLoss: {error}') from None
        self.loss_weight = loss_weight
        self.class_weight: ClassWeight = class_weight
        self.beta = beta
        self.radius = _build_radius(radius or dict(type='mmdrl.CountRadius'), num_classes)

    @property
    def needs_spreads(self) -> bool:
        """Whether the radius policy looks at the spreads of the classes."""
        return self.radius.needs_spreads

    def forward(
        self,
        features: Tensor,
        labels: Tensor,
        centroids: Tensor,
        statistics: ClassStatistics,
        has_centroid: Tensor | None = None,
    ) -> Tensor:
        """Weighted loss, a scalar.

        Args:
            features: This process's features, shape ``(B, D)``, B the same on all processes.
            labels: Shape ``(B,)``, long.
            centroids: Shape ``(K, D)``.
            statistics: What radius policy and class weights need.
            has_centroid: Whether a class has a centroid, shape ``(K,)``; one that has none is left out of the mean.
                ``None``: all have.
        """
        if get_world_size() > 1:
            features, labels = gather_rows(features), gather_rows(labels)
        radius = self.radius(statistics)
        weight = None if has_centroid is None else has_centroid.to(radius.dtype)
        if self.class_weight != 'none':
            by_counts = class_weights(statistics.counts, self.class_weight, self.beta)
            weight = by_counts if weight is None else weight * by_counts
        value = dr_loss(features, labels, centroids, radius, class_weight=weight, **self.settings)
        return value if self.loss_weight == 1 else self.loss_weight * value


def _build_radius(radius: dict[str, Any], num_classes: int) -> RadiusPolicy:
    name = radius.get('type')
    policy_class = MODELS.get(name) if isinstance(name, str) else name
    if not (isinstance(policy_class, type) and issubclass(policy_class, RadiusPolicy)):
        known = sorted(f'mmdrl.{key}' for key, entry in MODELS.module_dict.items() if issubclass(entry, RadiusPolicy))
        raise ConfigError(
            f'DRLoss: radius must name a radius policy, one of {", ".join(known)} or your own subclass of '
            f'RadiusPolicy, got type={name!r}.'
        )
    policy: RadiusPolicy = MODELS.build({'num_classes': num_classes, **radius})
    with torch.no_grad():
        values = policy(ClassStatistics(torch.ones(num_classes).long(), torch.ones(num_classes)))
    if values.shape != (num_classes,):
        raise ConfigError(
            f'DRLoss: {policy_class.__name__} must give one radius per class, shape ({num_classes},), '
            f'got {tuple(values.shape)}.'
        )
    if values.device.type != 'meta' and not (values.isfinite() & (values >= 0)).all():
        raise ConfigError(
            f'DRLoss: radii must be finite and not negative, {policy_class.__name__} gives {float(values.min())}.'
        )
    return policy
