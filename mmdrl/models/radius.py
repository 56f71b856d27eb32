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
        spreads: Root mean square distance of a class's features from their centroid, shape ``(K,)``, in feature
            units, over what was drawn; nan for a class not measured yet. ``None``: nobody measures.
    """

    counts: Tensor
    spreads: Tensor | None = None


class RadiusPolicy(nn.Module):
    """Base of all policies.

    Args:
        num_classes: K. ``DRHead`` passes its own, so configs leave it out.

    Attributes:
        needs_spreads: Whether it looks at ``statistics.spreads``; a policy that says False may be given ``None``.
    """

    needs_spreads = True

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

    needs_spreads = False

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

    needs_spreads = False

    def __init__(self, num_classes: int, scale: float = 1.0):
        super().__init__(num_classes)
        self.scale = _not_negative('scale', scale)

    def forward(self, statistics: ClassStatistics) -> Tensor:
        """Radius of each class, shape ``(K,)``."""
        radius = statistics.counts.sqrt().reciprocal()
        return radius if self.scale == 1 else self.scale * radius


@MODELS.register_module()
class MeasuredRadius(RadiusPolicy):
    r"""Standard error of the centroid as measured: :math:`\varepsilon_c = s\, s_c / \sqrt{n_c}`.

    :math:`s_c^2` is the mean squared distance to the true centroid, the trace of the class's covariance. What is
    measured is the spread :math:`v_c` around the mean of :math:`n_c` images, too small by one degree of freedom, and
    hardly known where :math:`n_c` is small. So it is drawn towards the pooled spread of all classes, as if
    :math:`p` more images of each class had that one:

    .. math::
        s_c^2 = \frac{n_c v_c^2 + p\,\bar s^2}{n_c - 1 + p}, \qquad
        \bar s^2 = \frac{\sum_c n_c v_c^2}{\sum_c (n_c - 1)}

    with the last sums over the measured classes of two images or more. A class of one image, and one not measured
    yet, has :math:`s_c = \bar s`. If every measured class has one image, nothing tells how images of a class differ:
    :math:`\bar s^2` is then the mean of :math:`v_c^2`, what augmentation alone makes, and 0 without. Before anything
    is measured all radii are 0.

    The spread is that of the draws: with augmentation it includes what augmentation adds, and a sampler that
    repeats images repeats them in it. Centroids of mode ``'epoch'`` see every image once and not augmented. Those of
    mode ``'ema'`` rest on the last few batches rather than on :math:`n_c` images: their own error is larger. The
    radius is in the unit of the features, or of the unit sphere if they are normalised: of the distances of the
    DR loss it fits all but ``'squared'``.

    Args:
        num_classes: K.
        scale: s, not negative.
        prior_count: p, not negative; 0 trusts every class of two images or more.
    """

    def __init__(self, num_classes: int, scale: float = 1.0, prior_count: float = 4.0):
        super().__init__(num_classes)
        self.scale = _not_negative('scale', scale)
        self.prior_count = _not_negative('prior_count', prior_count)

    def forward(self, statistics: ClassStatistics) -> Tensor:
        """Radius of each class, shape ``(K,)``.

        Raises:
            ConfigError: If there are no spreads to go by.
        """
        if statistics.spreads is None:
            raise ConfigError(
                'MeasuredRadius needs the spreads of the classes, got none: take the statistics from '
                'DRHead.statistics, or pass ClassStatistics(counts, spreads).'
            )
        images, squares = statistics.counts.float(), statistics.spreads.float().square()
        is_measured = squares.isfinite()
        squares = torch.where(is_measured, squares, 0)
        freedom = torch.where(is_measured, images - 1, 0)  # (K,)
        within = torch.where(freedom > 0, images * squares, 0)  # sums of squares
        alone = squares.sum() / is_measured.sum().clamp_min(1)
        pooled = torch.where(freedom.sum() > 0, within.sum() / freedom.sum().clamp_min(1), alone)
        own = (within + self.prior_count * pooled) / (freedom + self.prior_count).clamp_min(1)
        return self.scale * (torch.where(freedom > 0, own, pooled) / images).sqrt()


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

    needs_spreads = False

    def __init__(self, num_classes: int, init: float = 1.0):
        super().__init__(num_classes)
        if not _not_negative('init', init) > 0:
            raise ConfigError(f'LearnedRadius: init must be above 0, got {init}.')
        self.init = float(init)
        self.raw = nn.Parameter(torch.empty(num_classes))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every radius back to ``init``."""
        # The inverse of softplus, which is the identity for large values.
        nn.init.constant_(self.raw, math.log(math.expm1(self.init)) if self.init < 20 else self.init)

    def forward(self, statistics: ClassStatistics) -> Tensor:
        """Radius of each class, shape ``(K,)``, with gradient."""
        return softplus(self.raw)


def _not_negative(name: str, value: float) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ConfigError(f'The {name} of a radius policy must be a finite number and not negative, got {value!r}.')
    return float(value)
