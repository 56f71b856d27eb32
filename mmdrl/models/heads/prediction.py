"""How a head that keeps centroids predicts: by its classifier, adjusted or not, or by the nearest class mean (NCM)."""

import math
from typing import Any, Literal

import torch
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.nn.functional import linear

from mmdrl.errors import ConfigError
from mmdrl.functional import adjust_logits, at_least_float32, ncm_as_linear, nearest_centroid, without_autocast
from mmdrl.models.centroids import ClassCentroids
from mmdrl.models.class_counts import KeepsClassCounts

Rule = Literal['classifier', 'ncm']


def checked_settings(predict_with: Rule, logit_adjustment: float) -> tuple[Rule, float]:
    """Both settings as given.

    Raises:
        ConfigError: If the rule is unknown, or the adjustment out of range or not for this rule.
    """
    if predict_with not in ('classifier', 'ncm'):
        raise ConfigError(f"DRHead: predict_with must be 'classifier' or 'ncm', got {predict_with!r}.")
    if not isinstance(logit_adjustment, (int, float)) or not 0 <= logit_adjustment < math.inf:
        raise ConfigError(
            f'DRHead: logit_adjustment must be a finite number and not negative, got {logit_adjustment!r}.'
        )
    if logit_adjustment and predict_with == 'ncm':
        raise ConfigError(
            f"DRHead: logit_adjustment={logit_adjustment} changes logits of the classifier, which predict_with='ncm' "
            'does not use. Leave one of them out.'
        )
    return predict_with, logit_adjustment


def scores(head: Any, features: Tensor) -> Tensor:
    """Logits of the rule by which a head predicts, shape ``(B, K)``; their softmax is ``pred_score``.

    Args:
        head: A ``DRHead``.
        features: That its classifier sees, shape ``(B, D)``.

    Raises:
        ConfigError: If the rule needs centroids, or class counts, that there are not.
    """
    if head.predict_with == 'ncm':
        return ncm_logits(features, head.centroids)
    return adjusted(head.fc(features), head, head.logit_adjustment)


def adjusted(logits: Tensor, known: KeepsClassCounts, tau: float) -> Tensor:
    r"""Logits less :math:`\tau \log \pi_c`, shape ``(B, K)``; with ``tau=0`` the very same.

    Raises:
        ConfigError: If the class counts are not known.

    Source: Menon et al., ICLR 2021, equation 9.
    """
    return adjust_logits(logits, known.known_class_counts(), -tau) if tau else logits


def ncm_labels(features: Tensor, centroids: ClassCentroids) -> Tensor | None:
    """Class of the nearest centroid, shape ``(B,)``, long; ``None`` if no class has one.

    Args:
        features: Shape ``(B, D)``.
        centroids: Those of classes that have none are left out.
    """
    seen = centroids.is_seen.nonzero().flatten()
    return seen[nearest_centroid(features, centroids.centroids[seen])] if len(seen) else None


def ncm_logits(features: Tensor, centroids: ClassCentroids) -> Tensor:
    r"""Logits :math:`-|z - \mu_c|^2 / 2`, but for one number per sample; -inf for a class without a centroid.

    Args:
        features: Shape ``(B, D)``; half precision is computed in float32.
        centroids: Of the classes.

    Returns:
        Shape ``(B, K)``.

    Raises:
        ConfigError: If no class has a centroid.
    """
    seen = centroids.is_seen.nonzero().flatten()
    if len(seen) == 0:
        raise ConfigError(
            "predict_with='ncm' needs centroids, but no class has one. Add mmdrl.CentroidHook to the hooks and train "
            'for an epoch, or load a checkpoint that has them.'
        )
    means = centroids.centroids[seen]
    middle = means.mean(dim=0)  # without it, the digits of a distance that is small beside |z| would cancel
    with without_autocast(features.device):
        known = linear(at_least_float32(features) - middle, *ncm_as_linear(means - middle))
    return known.new_full((len(known), len(centroids.is_seen)), -torch.inf).index_copy(1, seen, known)


def with_ncm_labels(samples: list[DataSample], labels: Tensor | None, is_prediction: bool) -> list[DataSample]:
    """The samples with labels ``(B,)``, if there are any, as ``ncm_label``, and as ``pred_label`` if they predict."""
    for sample, label in zip(samples, () if labels is None else labels, strict=labels is not None):
        sample.set_field(label[None], 'ncm_label')
        if is_prediction:
            sample.set_pred_label(label[None])  # by rounding, the score of another may be as large
    return samples
