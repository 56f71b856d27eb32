"""Any classification loss with a weight for each class, from the training images that the class has.

Deferred re-weighting is this loss as the ``loss`` of a later stage.
"""

from collections.abc import Sequence
from inspect import signature
from typing import Any, Literal

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

from mmdrl.errors import ConfigError
from mmdrl.functional import ClassWeight, at_least_float32, class_weights
from mmdrl.models.class_counts import KeepsClassCounts
from mmdrl.registry import MODELS

from .build import build_loss
from .counted import CountedLoss

Average = Literal['samples', 'weights']


@MODELS.register_module()
class ClassBalancedLoss(CountedLoss):
    r"""A loss whose samples count by the weight :math:`\alpha_y` of their class, with :math:`\sum_c \alpha_c = K`.

    ``average='weights'`` divides by the weights of the samples of *all* processes, so that under DDP, which takes the
    mean of the gradients, the result is that of one process with the whole batch.

    Args:
        num_classes: K; ``mmdrl.DRHead`` passes its own.
        loss: Config of a loss that takes a ``weight`` per sample: most of MMPretrain's and of ours.
        class_weight: How the weights follow from the counts, see :func:`mmdrl.functional.class_weights`.
        beta: Of ``class_weight='effective'``, in ``[0, 1)``.
        average: What the weighted sum is divided by: the number of ``'samples'`` (Cui et al.), or the sum of their
            ``'weights'`` (torch's weighted cross-entropy, and the released code of LDAM-DRW).
        class_counts: Training images per class, for the inner loss, too; ``None``: ``mmdrl.ClassCountsHook`` sets them.

    Raises:
        ConfigError: If a value is out of range, or the inner loss takes no weights or is for other classes.

    Source: Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019, section 4. Deferred
    re-weighting: Cao et al., NeurIPS 2019, section 3.3.
    """

    def __init__(
        self,
        num_classes: int,
        loss: dict[str, Any] | None = None,
        class_weight: ClassWeight = 'effective',
        beta: float = 0.9999,
        average: Average = 'samples',
        class_counts: Sequence[int] | None = None,
    ):
        super().__init__(num_classes)
        try:
            class_weights(torch.ones(1), class_weight, beta)
        except (ValueError, TypeError) as error:
            raise ConfigError(f'ClassBalancedLoss: {error}') from None
        if average not in ('samples', 'weights'):
            raise ConfigError(f"ClassBalancedLoss: average must be 'samples' or 'weights', got {average!r}.")
        self.loss = build_loss(loss or dict(type='CrossEntropyLoss'), num_classes, 'ClassBalancedLoss')
        if 'weight' not in signature(self.loss.forward).parameters:
            raise ConfigError(
                f'ClassBalancedLoss weighs the samples, which {type(self.loss).__name__} does not offer: its forward '
                'takes no weight. Take another loss, such as CrossEntropyLoss or mmdrl.LDAMLoss.'
            )
        self.class_weight: ClassWeight = class_weight
        self.beta = beta
        self.average: Average = average
        if class_counts is not None:
            self.set_class_counts(class_counts)
            self.has_own_class_counts = True

    def set_class_counts(self, counts: Tensor | Sequence[int]) -> None:
        """Take over the counts, for an inner loss without counts of its own, too."""
        super().set_class_counts(counts)
        if isinstance(self.loss, KeepsClassCounts) and not self.loss.has_own_class_counts:
            self.loss.set_class_counts(counts)

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: Literal['none', 'mean', 'sum'] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Loss: a scalar, or one per sample, shape ``(B,)``, under ``reduction_override='none'``.

        Args:
            cls_score: Logits, shape ``(B, K)``.
            target: Labels, shape ``(B,)``, long.
            weight: Of each sample, shape ``(B,)``, on top of that of its class. It does not change what the sum is
                divided by.
            avg_factor: What the sum is divided by under ``average='samples'``; ``None``: B.
            reduction_override: In place of the mean.
            **kwargs: Passed to the inner loss.

        Raises:
            ConfigError: If nobody has set the class counts, labels are mixed, or shapes do not fit.
            DataError: If (on the CPU) a label lies outside ``[0, K)``.
        """
        self.check_batch(cls_score, target)
        weights = class_weights(self.known_class_counts(), self.class_weight, self.beta)
        weights = (weights / weights.mean())[target]
        reduction = reduction_override or getattr(self.loss, 'reduction', 'mean')
        if self.average == 'weights' and reduction == 'mean':
            avg_factor = weights.sum()
            if get_world_size() > 1:
                all_reduce(avg_factor, 'mean')
        if weight is not None:
            weights = weights * weight
        logits = at_least_float32(cls_score)
        return self.loss(
            logits, target, weight=weights, avg_factor=avg_factor, reduction_override=reduction_override, **kwargs
        )
