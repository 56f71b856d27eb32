"""What the functions of this package demand of tensors, each refusal in one sentence.

Checks of values read the tensor and are for the CPU only: on an accelerator they would stall the device.
"""

import torch
from torch import Tensor


def check_pairs(features: Tensor, labels: Tensor, size: str) -> None:
    """Features must be ``(size, D)`` floats and labels ``(size,)`` long."""
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f'Expected features ({size}, D) and labels ({size},), got {tuple(features.shape)} and '
            f'{tuple(labels.shape)}.'
        )
    if labels.dtype != torch.long:
        raise ValueError(f'labels must be of type long, got {labels.dtype}. Use labels.long().')
    if not features.is_floating_point():
        raise ValueError(f'features must be floating point, got {features.dtype}. Use features.float().')


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Labels, on the CPU, must lie in ``[0, num_classes)``."""
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < num_classes):
        worst = int(labels.max()) if int(labels.max()) >= num_classes else int(labels.min())
        raise ValueError(f'labels must lie in [0, {num_classes}), got {worst}. Does num_classes match the data set?')
