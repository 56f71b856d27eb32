r"""Radius policies: how far the true centroid of each class may lie from the measured one.

A policy maps what is known of the classes to one radius per class, in the unit of the feature distance.
To add one, subclass :class:`RadiusPolicy`, register it and write ``forward(statistics)``.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from mmdrl.errors import ConfigError
from mmdrl.registry import MODELS


class ClassStatistics(NamedTuple):
    """What a policy may know of the training set.

    Attributes:
        counts: Unique training images per class, shape ``(K,)``, integer, at least 1.
    """

    counts: Tensor


class RadiusPolicy(nn.Module):
    """Base of all policies.

    Args:
        num_classes: K. ``DRHead`` passes its own, so configs leave it out.
    """

    def __init__(self, num_classes: int):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, statistics: ClassStatistics) -> Tensor:
        """Radius of each class, shape ``(K,)``, not negative, in the unit of the feature distance."""
        raise NotImplementedError


@MODELS.register_module()
class SharedRadius(RadiusPolicy):
    r"""One radius for all classes: :math:`\varepsilon_c = \varepsilon`.

    Args:
        num_classes: K.
        value: :math:`\varepsilon`, not negative. 0 gives the plain centroid loss.
    """

    def __init__(self, num_classes: int, value: float = 1.0):
        super().__init__(num_classes)
        self.value = _not_negative('value', value)

    def forward(self, statistics: ClassStatistics) -> Tensor:
        """Radius of each class, shape ``(K,)``."""
        return torch.full_like(statistics.counts, self.value, dtype=torch.float32)


@MODELS.register_module()
class CountRadius(RadiusPolicy):
    r"""Radius that shrinks with the size of the class: :math:`\varepsilon_c = s / \sqrt{n_c}`.

    The standard error of a mean falls this way, so rare classes get the largest balls.

    Args:
        num_classes: K.
        scale: s, not negative: the radius of a class with one image.
    """

    def __init__(self, num_classes: int, scale: float = 1.0):
        super().__init__(num_classes)
        self.scale = _not_negative('scale', scale)

    def forward(self, statistics: ClassStatistics) -> Tensor:
        """Radius of each class, shape ``(K,)``."""
        return self.scale / statistics.counts.float().sqrt()


@MODELS.register_module()
class LearnedRadius(RadiusPolicy):
    r"""One learned radius per class, never negative: :math:`\varepsilon_c = \mathrm{softplus}(\rho_c)`.

    The loss grows with every radius, so descent shrinks all of them towards 0; unconstrained, as in the
    authors' code, they pass through 0 and turn into a reward. Give the parameter its own rate and decay with
    ``paramwise_cfg=dict(custom_keys={'dr_loss.radius': dict(lr_mult=..., decay_mult=0.)})``.

    Args:
        num_classes: K.
        init: Radius of every class at the start, above 0.
    """

    def __init__(self, num_classes: int, init: float = 1.0):
        super().__init__(num_classes)
        if not _not_negative('init', init) > 0:
            raise ConfigError(f'LearnedRadius: init must be above 0, got {init}.')
        self.init = float(init)
        self.raw = nn.Parameter(torch.empty(num_classes))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every radius back to ``init``."""
        start = torch.tensor(self.init)
        # The inverse of softplus, which is the identity for large values.
        nn.init.constant_(self.raw, float(start.expm1().log() if self.init < 20 else start))

    def forward(self, statistics: ClassStatistics) -> Tensor:
        """Radius of each class, shape ``(K,)``, with gradient."""
        return softplus(self.raw)


def _not_negative(name: str, value: float) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ConfigError(f'The {name} of a radius policy must be a finite number and not negative, got {value!r}.')
    return float(value)
