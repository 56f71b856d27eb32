"""Rules that a classifier can be given after training, each as new entries of its last layer's state.

All of them are linear in the features, so that the layer, the config and whatever loads them stay as they are.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mmdrl.errors import ConfigError
from mmdrl.functional import log_prior, ncm_as_linear, tau_normalized
from mmdrl.models import CosineClassifier, LWSClassifier

RuleName = Literal['plain', 'tau-norm', 'logit-adjustment', 'ncm-euclidean', 'ncm-cosine']


@dataclass(frozen=True)
class Rule:
    r"""One way to predict.

    ================ ========================================== ====================================================
    name             score of class c                           source
    ================ ========================================== ====================================================
    plain            :math:`w_c \cdot z + b_c`
    tau-norm         :math:`(w_c \cdot z + b_c) / |w_c|^\tau`   Kang et al., ICLR 2020, who have no :math:`b_c`
    logit-adjustment :math:`w_c \cdot z + b_c - \tau \log\pi_c` Menon et al., ICLR 2021, equation 9
    ncm-euclidean    :math:`-|z - \mu_c|^2 / 2`                 nearest class mean
    ncm-cosine       :math:`\mu_c \cdot z / |\mu_c|`            nearest class mean, Kang et al.
    ================ ========================================== ====================================================

    Here :math:`\pi_c` is the share of the class in the training set and :math:`\mu_c` its centroid.

    Attributes:
        name: Of the rule.
        strength: :math:`\tau`; ``None`` for a rule that has none.

    Raises:
        ConfigError: If the strength is negative or not finite, or does not fit the rule.
    """

    name: RuleName
    strength: float | None = None

    def __post_init__(self) -> None:
        has_one = self.name in ('tau-norm', 'logit-adjustment')
        if has_one is (self.strength is None) or not 0 <= (self.strength or 0.0) < math.inf:
            wanted = 'a finite number, not negative' if has_one else 'None'
            raise ConfigError(f'The strength of {self.name} must be {wanted}, got {self.strength}.')

    def __str__(self) -> str:
        return self.name if self.strength is None else f'{self.name} {self.strength:g}'


def why_not(rule: Rule, layer: nn.Linear) -> str | None:
    """Why a layer cannot be given a rule, as the end of a sentence; ``None`` if it can."""
    if isinstance(layer, CosineClassifier):
        if rule.name == 'tau-norm':
            return 'the lengths of the rows of a cosine classifier have no effect'
        if rule.name == 'ncm-euclidean':
            return 'a cosine classifier cannot see distances'
    if layer.bias is None and rule.name in ('logit-adjustment', 'ncm-euclidean'):
        return 'it needs a bias, and the last layer has none'
    return None


@torch.no_grad()
def changed_entries(
    rule: Rule, layer: nn.Linear, class_counts: Tensor | None, centroids: Tensor | None
) -> dict[str, Tensor]:
    """What becomes of the state of the last layer, by name; what is not named stays.

    Args:
        rule: One that :func:`why_not` has nothing against.
        layer: Stays as it is.
        class_counts: Training images per class, shape ``(K,)``, each at least 1; for logit adjustment.
        centroids: Shape ``(K, D)``; for nearest class mean.

    Returns:
        Tensors on the device of the layer, each of the shape and type it has there.
    """
    if rule.name == 'plain':
        return {}
    weight: Tensor = layer.weight
    bias: Tensor | None = layer.bias
    entries = {}
    if isinstance(layer, LWSClassifier):
        entries['scale'] = torch.ones_like(layer.scale)
        weight = layer.scale[:, None] * weight
        bias = None if bias is None else layer.scale * bias
    if rule.name == 'tau-norm':
        weight, bias = tau_normalized(weight, bias, rule.strength or 0.0)
    elif rule.name == 'logit-adjustment':
        assert bias is not None and class_counts is not None
        bias = bias - (rule.strength or 0.0) * log_prior(class_counts.to(bias.device))
    else:
        assert centroids is not None
        metric: Literal['euclidean', 'cosine'] = 'euclidean' if rule.name == 'ncm-euclidean' else 'cosine'
        weight, new_bias = ncm_as_linear(centroids.to(weight.device), metric)
        bias = None if bias is None else new_bias
    entries['weight'] = weight.to(layer.weight)
    if bias is not None:
        entries['bias'] = bias.to(layer.bias)
    return entries
