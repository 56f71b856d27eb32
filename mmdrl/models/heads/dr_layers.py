"""The layers on which the DR loss acts, as one part of the head."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.model import ModuleList
from torch import Tensor

from mmdrl.errors import ConfigError, DivergenceError
from mmdrl.functional import UnusableValueError
from mmdrl.models.centroids import ClassCentroids
from mmdrl.models.radius import ClassStatistics

from .dr_layer import DRLayer


class DRLayers(ModuleList):
    """List of :class:`DRLayer`, none without the loss; arguments as :func:`layer_settings` makes them."""

    def __init__(self, settings: list[dict[str, Any]]):
        super().__init__([DRLayer(**entry) for entry in settings])

    def features(self, feats: tuple[Tensor, ...]) -> list[Tensor]:
        """What the loss sees of each layer, ``(B, D)``, out of the features of the neck.

        Raises:
            ConfigError: If the features do not fit the settings.
        """
        features = [layer(layer.select(feats)) for layer in self]
        positions = [layer.position for layer in self]
        if len({position % len(feats) for position in positions}) < len(positions):
            raise ConfigError(f'dr_layers={positions} names one of the {len(feats)} layers of the neck twice.')
        return features

    def watched(self, feats: tuple[Tensor, ...], features: list[Tensor]) -> list[Tensor]:
        """Features of the last layer and of the layers in use, before and after projection, ``(B, D)`` each."""
        found = [feats[-1]]
        for layer, rows in zip(self, features, strict=True):
            if layer.position != -1:
                found.append(layer.select(feats))
            if layer.projection is not None:
                found.append(rows)
        return found

    @property
    def watched_names(self) -> list[str]:
        """What :meth:`watched` gives, in words."""
        names = ['the features of layer -1']
        for layer in self:
            if layer.position != -1:
                names.append(f'the features of layer {layer.position}')
            if layer.projection is not None:
                names.append(f'the projected features of layer {layer.position}')
        return names

    def own_centroids(self, features: list[Tensor]) -> Iterator[tuple[ClassCentroids, Tensor]]:
        """Centroids of the layers that have their own, each with those of the features, ``(B, D)``, that it is of."""
        for layer, rows in zip(self, features, strict=True):
            if layer.centroids is not None:
                yield layer.centroids, rows

    def losses(
        self, features: list[Tensor], labels: Tensor, class_counts: Tensor, shared: ClassCentroids
    ) -> tuple[Tensor, Tensor]:
        """Weighted sum of the losses, and number of classes without a centroid, both scalars.

        Args:
            features: Of :meth:`features`.
            labels: Shape ``(B,)``, long.
            class_counts: Shape ``(K,)``.
            shared: The head's centroids, for a layer that has none of its own.

        Raises:
            DivergenceError: On the CPU, if a radius or a centroid in use is not finite.
        """
        values, missing = [], []
        for layer, rows in zip(self, features, strict=True):
            known = layer.own_or(shared)
            # What no policy looks at is not computed: on an accelerator every call counts, not its size.
            needs_spreads = getattr(layer.dr_loss, 'needs_spreads', True)
            statistics = ClassStatistics(class_counts, known.spreads if needs_spreads else None)
            try:
                value = layer.dr_loss(rows, labels, known.centroids, statistics, known.is_seen)
            except UnusableValueError as error:
                what = f'the DR loss of layer {layer.position} cannot be computed: '
                reason, _, _ = str(error).partition('. ')
                raise DivergenceError(f'{what[0].upper()}{what[1:]}{error}', what=what + reason) from error
            values.append(scaled(value, layer.weight))
            missing.append((~known.is_seen).sum(dtype=torch.float32))
        if len(values) == 1:
            return values[0], missing[0]
        return torch.stack(values).sum(), torch.stack(missing).max()


def scaled(value: Tensor, factor: float) -> Tensor:
    """The value times the factor, without a computation where that is 1."""
    return value if factor == 1 else factor * value


def layer_settings(
    num_classes: int,
    in_channels: int,
    dr_loss: dict[str, Any] | list[dict[str, Any]],
    dr_layers: tuple[int, ...],
    dr_weights: tuple[float, ...] | None,
    dr_channels: tuple[int, ...] | None,
    dr_projection: tuple[int, ...] | None,
    dr_normalize: bool | None,
    centroids: dict[str, Any] | None,
) -> list[dict[str, Any]]:
    """Arguments of one :class:`DRLayer` per layer, from those of ``DRHead``.

    Raises:
        ConfigError: If a list has another length than ``dr_layers``, or an entry is out of range.
    """
    positions = _checked('dr_layers', dr_layers, _is_position, 'whole numbers, -1 for the last layer')
    if len(set(positions)) < len(positions):
        raise ConfigError(f'dr_layers must name each layer once, got {positions}.')
    count = len(positions)
    if dr_channels is None:
        if positions != (-1,):
            raise ConfigError(
                f'dr_layers={positions} needs dr_channels, the width of each of these layers. It may be left out for '
                'the last layer only.'
            )
        dr_channels = (in_channels,)
    widths = _checked('dr_channels', dr_channels, _is_width, 'widths of at least 1', count)
    weights = (1.0,) * count if dr_weights is None else dr_weights
    weights = _checked('dr_weights', weights, _is_weight, 'finite numbers, not negative', count)
    projection = ()
    if dr_projection is not None:
        projection = _checked('dr_projection', dr_projection, _is_width, 'widths of at least 1')
    for position, width in zip(positions, widths, strict=True):
        if position == -1 and width != in_channels:
            raise ConfigError(f'dr_channels says {width} for the last layer, but in_channels is {in_channels}.')
    if dr_normalize not in (None, True, False):
        raise ConfigError(f'dr_normalize must be True, False or None, got {dr_normalize!r}.')
    losses = dr_loss if isinstance(dr_loss, (list, tuple)) else [dr_loss] * count
    if len(losses) != count:
        raise ConfigError(f'dr_loss must be one dict, or one for each of {count} layers, got {len(losses)}.')
    common = dict(num_classes=num_classes, projection=projection, normalize=dr_normalize, centroids=centroids)
    return [
        dict(dr_loss=loss, position=position, in_channels=width, weight=weight, **common)
        for loss, position, width, weight in zip(losses, positions, widths, weights, strict=True)
    ]


def _checked(
    name: str, values: Any, is_valid: Callable[[Any], bool], wanted: str, count: int | None = None
) -> tuple[Any, ...]:
    is_list = isinstance(values, (list, tuple))
    if not is_list or not values or len(values) != (count or len(values)) or not all(map(is_valid, values)):
        number = '' if count is None else f'{count}, one per layer: '
        raise ConfigError(f'{name} must be a list of {number}{wanted}, got {values!r}.')
    return tuple(values)


def _is_position(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_width(value: Any) -> bool:
    return _is_position(value) and value >= 1


def _is_weight(value: Any) -> bool:
    return isinstance(value, (int, float)) and 0 <= value < math.inf
