"""In which space a model is looked at, and what of the model lives there: classifier and radii."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmdrl.engine.model_parts import find_head
from mmdrl.errors import ConfigError
from mmdrl.models import CosineClassifier, DRHead
from mmdrl.models.heads.prediction import scores
from mmdrl.models.radius import ClassStatistics

Space = Literal['classifier', 'loss']


class View(NamedTuple):
    """How to look at a model.

    Attributes:
        model: With its weights.
        space: ``'classifier'``, the features that the classifier sees, or ``'loss'``, those that the DR loss sees on
            the last of its layers, projected and normalised if it does so.
        is_normalized: Whether features are brought to length 1.
    """

    model: Any
    space: Space
    is_normalized: bool

    def features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Features of a batch, shape ``(B, D)``, float32, from those of the neck.

        Raises:
            ConfigError: If the head has no such features.
        """
        if self.space == 'loss':
            layer = find_head(self.model).dr_layers[-1]  # type: ignore[union-attr]
            rows = layer(layer.select(feats))
        else:
            rows = getattr(self.model.head, 'pre_logits', lambda _: None)(feats)
        if not isinstance(rows, Tensor) or rows.ndim != 2:
            what = tuple(rows.shape) if isinstance(rows, Tensor) else type(rows).__name__
            kind = type(self.model.head).__name__
            raise ConfigError(f'Expected features (B, D) from pre_logits of the head, got {what} from {kind}.')
        return normalize(rows.float(), dim=1) if self.is_normalized else rows.float()

    def predicted(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Class that the model predicts for each image of a batch, shape ``(B,)``, by the rule of its config.

        Raises:
            ConfigError: If the head does not score classes.
        """
        head = self.model.head
        logits = scores(head, head.pre_logits(feats)) if isinstance(head, DRHead) else head(feats)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise ConfigError(f'Expected a head that gives one score per class, got {type(head).__name__}.')
        return logits.argmax(dim=1)

    def weight(self) -> Tensor | None:
        """Effective weight of the linear classifier, shape ``(K, D)``; ``None`` in a space that it does not see."""
        head = self.model.head
        layer = getattr(head, 'fc', None) or getattr(getattr(head, 'layers', None), 'head', None)
        if self.space == 'loss' or not isinstance(layer, nn.Linear):
            return None
        # What it makes of unit vectors, so that factors and norms inside it count.
        unit = torch.eye(layer.in_features, device=layer.weight.device, dtype=layer.weight.dtype)
        return (layer(unit) - layer(torch.zeros_like(unit[:1]))).T

    def radii(self, class_counts: Tensor) -> tuple[Tensor | None, bool]:
        """Radii of the last layer of the DR loss, shape ``(K,)``, and whether they are of this very space.

        Args:
            class_counts: Training images, shape ``(K,)``, for a head that has not been told.
        """
        head = find_head(self.model)
        if head is None or not len(head.dr_layers):
            return None, False
        layer = head.dr_layers[-1]
        counts = head.class_counts if head.class_counts.any() else class_counts.to(head.class_counts)
        statistics = ClassStatistics(counts, layer.own_or(head.centroids).spreads)
        is_same = self.space == 'loss' or layer.centroids is None
        return layer.dr_loss.radius(statistics).double(), is_same and self.is_normalized == layer.normalize


def view_of(model: Any, space: Space = 'classifier', is_normalized: bool | None = None) -> View:
    """How to look at a model.

    Args:
        model: Not wrapped, with its weights.
        space: See :class:`View`.
        is_normalized: Likewise. Not given: if a cosine classifier looks at them, or the loss does so.

    Raises:
        ConfigError: If the model has no such space.
    """
    head = find_head(model)
    if space not in ('classifier', 'loss'):
        raise ConfigError(f"The space must be 'classifier' or 'loss', got {space!r}.")
    if space == 'loss' and (head is None or not len(head.dr_layers)):
        raise ConfigError("Features in the space of the DR loss need a head with that loss. Take space 'classifier'.")
    if is_normalized is None:
        is_cosine = isinstance(getattr(model.head, 'fc', None), CosineClassifier)
        is_normalized = head.dr_layers[-1].normalize if space == 'loss' and head is not None else is_cosine
    return View(model, space, bool(is_normalized))
