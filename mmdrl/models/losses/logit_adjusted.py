"""Cross-entropy of logits with the class prior added: the logit-adjusted loss and the balanced softmax."""

from collections.abc import Sequence
from typing import Any, Literal

from mmpretrain.models.losses import CrossEntropyLoss
from torch import Tensor

from mmdrl.functional import adjust_logits
from mmdrl.registry import MODELS

from .counted import CountedLoss


@MODELS.register_module()
class LogitAdjustedLoss(CountedLoss):
    r"""Cross-entropy of :math:`f_c + \tau \log(n_c / \sum_k n_k)`.

    Minimising it leaves logits :math:`f_c` whose argmax is right when all classes are equally common, so predictions
    take them as they are. Mixed labels (mixup, cutmix) are allowed. Computed in float32 under mixed precision.

    Args:
        num_classes: K; ``mmdrl.DRHead`` passes its own.
        tau: :math:`\tau`, not negative; 0 gives the plain cross-entropy.
        loss_weight: What the loss is multiplied by.
        class_counts: Training images per class; ``None``: ``mmdrl.ClassCountsHook`` sets them.

    Raises:
        ConfigError: If a value is out of range.

    Source: Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, equation 10.
    """

    def __init__(
        self,
        num_classes: int,
        tau: float = 1.0,
        loss_weight: float = 1.0,
        class_counts: Sequence[int] | None = None,
    ):
        super().__init__(num_classes, class_counts)
        self.check_number('tau', tau)
        self.check_number('loss_weight', loss_weight)
        self.tau = tau
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
            cls_score: Logits, shape ``(B, K)``.
            target: Labels, shape ``(B,)``, long, or mixed labels, shape ``(B, K)``.
            weight: Of each sample, shape ``(B,)``.
            avg_factor: What the sum over the samples is divided by; ``None``: B.
            reduction_override: In place of the mean.
            **kwargs: As MMPretrain's ``CrossEntropyLoss`` takes them.

        Raises:
            ConfigError: If nobody has set the class counts, or shapes do not fit.
            DataError: If (on the CPU) a label lies outside ``[0, K)``.
        """
        self.check_batch(cls_score, target, are_mixed_allowed=True)
        logits = adjust_logits(cls_score, self.known_class_counts(), self.tau)
        if target.ndim == 2:
            target = target.to(logits)
        return self.cross_entropy(logits, target, weight, avg_factor, reduction_override, **kwargs)


@MODELS.register_module()
class BalancedSoftmaxLoss(LogitAdjustedLoss):
    r"""Cross-entropy of :math:`f_c + \log n_c`: the logit-adjusted loss with :math:`\tau = 1`.

    Args:
        num_classes: K; ``mmdrl.DRHead`` passes its own.
        loss_weight: What the loss is multiplied by.
        class_counts: Training images per class; ``None``: ``mmdrl.ClassCountsHook`` sets them.

    Raises:
        ConfigError: If a value is out of range.

    Source: Ren et al., "Balanced Meta-Softmax for Long-Tailed Visual Recognition", NeurIPS 2020, section 3.1.
    """

    def __init__(self, num_classes: int, loss_weight: float = 1.0, class_counts: Sequence[int] | None = None):
        super().__init__(num_classes, 1.0, loss_weight, class_counts)
