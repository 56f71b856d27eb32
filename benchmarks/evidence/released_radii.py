r"""The DR loss of the released code with the fault in it, to measure what the fault does.

The loss has a row for each class and a column for each sample; the radius of a class belongs to its own samples in its
own row. The released code takes these entries out class by class, and gives the radii of the samples to them in the
order of the batch: the first sample of the first class gets the radius of the class that the batch begins with, and so
on. Were a batch sorted by class, all would be in their places. Radii are free, and may turn negative.

Source: read in github.com/dvirsamuel/DRO-LT (losses.py, main.py), written anew here.
"""

from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmdrl.models import ClassStatistics, DRLoss, RadiusPolicy
from mmdrl.models.gather import gather_rows


class FreeRadius(RadiusPolicy):
    """One learned radius per class without a bound: descent takes it below 0, where it is a reward.

    Args:
        num_classes: K.
        init: Radius of every class at the start.
    """

    needs_spreads = False

    def __init__(self, num_classes: int, init: float = 1.0):
        super().__init__(num_classes)
        self.radius = nn.Parameter(torch.full((num_classes,), float(init)))

    def forward(self, statistics: ClassStatistics) -> Tensor:
        """Radius of each class, shape ``(K,)``, with gradient; may be negative."""
        return self.radius


class MisplacedRadiiDRLoss(DRLoss):
    """DR loss in Euclidean distance, class scope and margin 1, whose radii are given to the samples in a wrong order.

    Args:
        num_classes: K. ``DRHead`` passes its own, so configs leave it out.
        radius: Config of a radius policy; the free radii of the released code if not given.
        temperature: T, in the unit of the distance.
        loss_weight: What the loss is multiplied by.

    Raises:
        ConfigError: If a value is out of range or the radius policy unknown.
    """

    def __init__(
        self,
        num_classes: int,
        radius: dict[str, Any] | None = None,
        temperature: float = 1.0,
        loss_weight: float = 1.0,
    ):
        radius = radius or dict(type=FreeRadius)
        super().__init__(num_classes, radius, temperature=temperature, loss_weight=loss_weight)
        self.temperature = temperature

    def forward(
        self,
        features: Tensor,
        labels: Tensor,
        centroids: Tensor,
        statistics: ClassStatistics,
        has_centroid: Tensor | None = None,
    ) -> Tensor:
        """Weighted loss, a scalar; arguments as in :meth:`mmdrl.models.DRLoss.forward`."""
        if get_world_size() > 1:
            features, labels = gather_rows(features), gather_rows(labels)
        classes = labels.unique()  # (C,)
        is_own = labels == classes[:, None]  # (C, B)
        exact = 'donot_use_mm_for_euclid_dist'  # as exact as those of DRLoss: products lose digits of close pairs
        distances = torch.cdist(centroids.detach()[classes], features.float(), compute_mode=exact)
        margins = is_own * misplaced_radii(labels, self.radius(statistics))
        log_prob = ((distances + margins) / -self.temperature).log_softmax(dim=1)
        by_class = (is_own * log_prob).sum(dim=1) / is_own.sum(dim=1)
        counts = torch.ones_like(by_class) if has_centroid is None else has_centroid[classes].to(by_class.dtype)
        return -self.loss_weight * (counts * by_class).sum() / counts.sum().clamp_min(1)


def misplaced_radii(labels: Tensor, radius: Tensor) -> Tensor:
    """Radius that each sample of a batch is given, shape ``(B,)``: that of sample j goes to the j-th by class.

    Args:
        labels: Shape ``(B,)``, long.
        radius: Of each class, shape ``(K,)``.
    """
    place = labels.argsort(stable=True).argsort()  # of each sample when they are sorted by class
    return radius[labels[place]]
