"""What the functions of this package demand of tensors, each refusal in one sentence.

Checks of values read the tensor and are for the CPU only: on an accelerator they would stall the device, and
``torch.compile`` cannot follow them.
"""

import math
from collections.abc import Collection

import torch
from torch import Tensor

from .distance import at_least_float32


class UnusableValueError(ValueError):
    """A value, not a shape or a setting, from which a loss cannot be computed."""


def is_static(tensor: Tensor) -> bool:
    """Whether neither shapes nor the way may depend on values: on an accelerator and under ``torch.compile``."""
    return tensor.device.type != 'cpu' or torch.compiler.is_compiling()


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """The value must be one of the choices."""
    if value not in choices:
        *first, last = map(repr, choices)
        raise ValueError(f'{name} must be {", ".join(first)} or {last}, got {value!r}.')


def check_number(name: str, value: float, is_zero_allowed: bool) -> None:
    """The value must be finite and above 0, or not below it."""
    if not (0 <= value < math.inf and (is_zero_allowed or value > 0)):
        wanted = 'finite and not negative' if is_zero_allowed else 'above 0 and finite'
        raise ValueError(f'{name} must be {wanted}, got {value}.')


def check_counts(counts: Tensor) -> None:
    """Counts must have the shape ``(K,)`` and, on the CPU, be at least 1."""
    if counts.ndim != 1 or len(counts) == 0:
        raise ValueError(f'Expected the counts of the classes (K,), got {tuple(counts.shape)}.')
    if not is_static(counts) and not bool((counts >= 1).all()):
        raise ValueError(
            f'Every class needs a training image, got a count of {counts.min().item()} for class '
            f'{int(counts.argmin())}. Mend the data list, or leave the class out.'
        )


def check_logits(logits: Tensor, num_classes: int) -> None:
    """Logits must be ``(B, num_classes)`` floats."""
    if logits.ndim != 2 or logits.shape[1] != num_classes or not logits.is_floating_point():
        raise ValueError(
            f'Expected floating point logits (B, {num_classes}), a column for each class, got {tuple(logits.shape)} of '
            f'type {logits.dtype}. Does num_classes match the classifier?'
        )


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


def check_in_use(tensors: dict[str, Tensor | None], labels: Tensor, temperature: float, margin: float) -> None:
    """What a loss has used must be finite, radii and weights not negative; the rest is not looked at.

    Args:
        tensors: By name: ``features`` has a row for every sample of the batch, the others have one for every class.
        labels: Class of each sample, on the CPU.
        temperature: What the loss has divided distances by.
        margin: What it has multiplied radii by.

    Raises:
        UnusableValueError: Always: the value of the loss has told that something is wrong. It names the first class
            that is.
    """
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        rows = (tensor if name == 'features' else tensor[labels]).detach().reshape(len(labels), -1)
        is_bad = ~rows.isfinite()
        bound = 'finite'
        if name in ('radius', 'class_weight'):
            is_bad |= rows < 0
            bound = 'finite and not negative'
        if is_bad.any():
            sample, column = (int(index) for index in is_bad.nonzero()[0])
            hint = {
                'features': 'Has training diverged? Try a lower learning rate.',
                'centroids': 'Was it made of features that are not finite?',
                'radius': 'Is the radius policy right, and have learned radii diverged?',
                'class_weight': 'Give each class a weight of at least 0.',
            }[name]
            raise UnusableValueError(
                f'{name} must be {bound}, got {float(rows[sample, column])} for class {int(labels[sample])} '
                f'(sample {sample} of the batch). {hint}'
            )
    largest = max(
        float((tensor if name == 'features' else tensor[labels]).detach().abs().max())
        for name, tensor in tensors.items()
        if tensor is not None
    )
    features = tensors['features']
    assert features is not None
    if 4 * features.shape[1] * largest**2 < torch.finfo(at_least_float32(features).dtype).max:
        raise UnusableValueError(
            'Distances and margins divided by the temperature are not finite, though the distances are: temperature '
            f'is {temperature:.3g}, margin {margin:.3g}, the largest value in use {largest:.3g}. Raise the '
            'temperature, or lower the margin.'
        )
    raise UnusableValueError(
        f'The values are too large to compute with: the largest in use is {largest:.3g}, and squares of distances must '
        'stay finite. Has training diverged? Try a lower learning rate.'
    )


def non_finite_class(features: Tensor, labels: Tensor) -> Tensor:
    """Class of a sample with a feature that is not finite, without waiting for the device.

    Args:
        features: Shape ``(B, D)``, B at least 1.
        labels: Class of each sample, shape ``(B,)``, long, not negative.

    Returns:
        The highest class of such samples, a scalar tensor of type long; -1 if all features are finite.
    """
    largest = torch.linalg.vector_norm(features.detach(), torch.inf, dim=1)  # nan and infinity come through
    return labels.masked_fill(largest < torch.inf, -1).amax()
