"""Label-distribution-aware margins: the fewer images a class has, the further its samples must be on its side."""

import torch
from torch import Tensor

from .checks import check_counts, check_labels, check_logits, check_number, is_static
from .distance import at_least_float32


def ldam_margins(counts: Tensor, max_margin: float = 0.5) -> Tensor:
    r"""Margin of each class, :math:`C / n_c^{1/4}`, where C makes the largest of them ``max_margin``.

    Args:
        counts: Training images per class, shape ``(K,)``, each at least 1.
        max_margin: Margin of the smallest class, in the unit of the logits; 0: no margins.

    Returns:
        Shape ``(K,)``, float32.

    Raises:
        ValueError: If the shape or ``max_margin`` is out of range, or (checked on the CPU) a class has no image.

    Source: Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019,
    section 3.2; that C is given by the largest margin is from section 4 and the authors' released code.
    """
    check_counts(counts)
    check_number('max_margin', max_margin, is_zero_allowed=True)
    images = counts.double()
    return (max_margin * (images.min() / images) ** 0.25).float()


def subtract_margin(logits: Tensor, labels: Tensor, margins: Tensor) -> Tensor:
    r"""Logits in which that of each sample's own class is lowered by the margin of the class.

    .. math:: f_c - \Delta_c \, [c = y]

    Args:
        logits: Shape ``(B, K)``, floating point; half precision is made float32.
        labels: Class of each sample, shape ``(B,)``, long.
        margins: :math:`\Delta_c`, shape ``(K,)``.

    Returns:
        Shape ``(B, K)``.

    Raises:
        ValueError: If shapes or types do not fit, or (checked on the CPU) a label is out of range.

    Source: Cao et al., NeurIPS 2019, section 3.2.
    """
    check_logits(logits, len(margins))
    if labels.shape != logits.shape[:1] or labels.dtype != torch.long:
        raise ValueError(
            f'Expected one label per sample, ({len(logits)},) of type long, got {tuple(labels.shape)} of type '
            f'{labels.dtype}.'
        )
    if not is_static(labels):
        check_labels(labels, len(margins))
    logits = at_least_float32(logits)
    own = margins.to(logits)[labels]
    return logits - torch.zeros_like(logits).scatter(1, labels[:, None], own[:, None])
