"""The LDAM loss: cross-entropy that asks the samples of small classes for a larger margin."""

from collections.abc import Sequence
from typing import Any, Literal

from mmpretrain.models.losses import CrossEntropyLoss
from torch import Tensor

from mmdrl.functional import ldam_margins, subtract_margin
from mmdrl.registry import MODELS

from .counted import CountedLoss


@MODELS.register_module()
class LDAMLoss(CountedLoss):
    r"""Cross-entropy of :math:`s \, (f_c - \Delta_c [c = y])` with margins :math:`\Delta_c = C / n_c^{1/4}`.

    A margin means something only next to logits of a known range, so the paper takes cosines: give the head
    ``classifier=dict(type='mmdrl.CosineClassifier', scale=1.0)``, for the scale s is here. Nothing enforces it: with
    plain logits, which can grow at will, the margins fade as training goes on. Computed in float32 under mixed
    precision.

    Args:
        num_classes: K; ``mmdrl.DRHead`` passes its own.
        max_margin: Margin of the smallest class, in the unit of the logits before scaling; 0: none.
        scale: s, above 0.
        loss_weight: What the loss is multiplied by.
        class_counts: Training images per class; ``None``: ``mmdrl.ClassCountsHook`` sets them.

    Raises:
        ConfigError: If a value is out of range.

    Source: Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019, section
    3.2; 0.5 and 30 are the defaults of the authors' released code.
    """

    def __init__(
        self,
        num_classes: int,
        max_margin: float = 0.5,
        scale: float = 30.0,
        loss_weight: float = 1.0,
        class_counts: Sequence[int] | None = None,
    ):
        super().__init__(num_classes, class_counts)
        self.check_number('max_margin', max_margin)
        self.check_number('scale', scale, is_zero_allowed=False)
        self.check_number('loss_weight', loss_weight)
        self.max_margin = max_margin
        self.scale = scale
        self.cross_entropy = CrossEntropyLoss(loss_weight=loss_weight)

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
            cls_score: Logits, cosines for choice, shape ``(B, K)``.
            target: Labels, shape ``(B,)``, long.
            weight: Of each sample, shape ``(B,)``.
            avg_factor: What the sum over the samples is divided by; ``None``: B.
            reduction_override: In place of the mean.
            **kwargs: As MMPretrain's ``CrossEntropyLoss`` takes them.

        Raises:
            ConfigError: If nobody has set the class counts, labels are mixed, or shapes do not fit.
            DataError: If (on the CPU) a label lies outside ``[0, K)``.
        """
        self.check_batch(cls_score, target)
        margins = ldam_margins(self.known_class_counts(), self.max_margin)
        logits = self.scale * subtract_margin(cls_score, target, margins)
        return self.cross_entropy(logits, target, weight, avg_factor, reduction_override, **kwargs)
