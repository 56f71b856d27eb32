"""Accuracy when classes differ in size: of each class, of groups of classes, and what is made of them.

Every class weighs the same. A class without a test image has no accuracy and is left out, rather than counted as 0.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdrl.datasets.labels import check_labels
from mmdrl.errors import DataError


def per_class_accuracy(pred: ArrayLike, target: ArrayLike, num_classes: int) -> NDArray[np.float64]:
    """Accuracy of every class in percent, nan for a class without a sample.

    Args:
        pred: Predicted labels, shape ``(N,)``.
        target: True labels, shape ``(N,)``, in ``[0, num_classes)``.
        num_classes: K.

    Returns:
        Accuracies, shape ``(K,)``.

    Raises:
        DataError: If the shapes differ, labels are no whole numbers or a true label lies outside.
    """
    pred, target = _checked(pred, target, num_classes)
    total = np.bincount(target, minlength=num_classes)
    correct = np.bincount(target[pred == target], minlength=num_classes)
    return np.divide(100.0 * correct, total, out=np.full(num_classes, np.nan), where=total > 0)


def group_accuracy(per_class: ArrayLike, groups: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Mean accuracy of the classes of each group, over those that are not nan; nan if there are none.

    Args:
        per_class: Accuracies, shape ``(K,)``, any unit.
        groups: Masks, each of shape ``(K,)``, as :func:`mmdrl.stats.shot_groups` returns them.

    Returns:
        One number per group, in the unit of ``per_class``.

    Raises:
        DataError: If the shapes differ.
    """
    per_class = np.asarray(per_class, dtype=np.float64)
    masks = {name: np.asarray(mask, dtype=bool) for name, mask in groups.items()}
    for name, mask in masks.items():
        if per_class.ndim != 1 or mask.shape != per_class.shape:
            raise DataError(f'per_class and {name} must both have shape (K,), got {per_class.shape} and {mask.shape}.')
    return {name: mean_accuracy(per_class[mask]) for name, mask in masks.items()}


def mean_accuracy(per_class: ArrayLike) -> float:
    """Mean over the classes that are not nan, nan if there are none; of all classes it is the balanced accuracy.

    Args:
        per_class: Accuracies, shape ``(K,)``, any unit.

    Source: Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010.
    """
    per_class = np.asarray(per_class, dtype=np.float64)
    tested = per_class[~np.isnan(per_class)]
    return float(tested.mean()) if tested.size else float('nan')


def worst_accuracy(per_class: ArrayLike) -> float:
    """Smallest accuracy of a class that has a test image, nan if there is none.

    Args:
        per_class: Accuracies, shape ``(K,)``, any unit.
    """
    per_class = np.asarray(per_class, dtype=np.float64)
    tested = per_class[~np.isnan(per_class)]
    return float(tested.min()) if tested.size else float('nan')


def macro_f1(pred: ArrayLike, target: ArrayLike, num_classes: int) -> float:
    r"""Mean of :math:`F_1` over the classes that have a test image, in percent; nan without any image.

    .. math:: F_1(c) = \frac{2 \, TP_c}{2 \, TP_c + FP_c + FN_c}

    A class that has images and is never predicted right counts as 0. A prediction of a class that has no image is
    wrong, but that class takes no part in the mean.

    Args:
        pred: Predicted labels, shape ``(N,)``.
        target: True labels, shape ``(N,)``, in ``[0, num_classes)``.
        num_classes: K.

    Raises:
        DataError: If the shapes differ, labels are no whole numbers or a true label lies outside.

    Source: the mean of the classes' scores (Opitz & Burst, Macro F1 and Macro F1, 2019), as
    ``sklearn.metrics.f1_score(target, pred, labels=np.unique(target), average='macro', zero_division=0)``.
    """
    pred, target = _checked(pred, target, num_classes)
    total = np.bincount(target, minlength=num_classes)
    correct = np.bincount(target[pred == target], minlength=num_classes)
    # Another class than those K is a wrong prediction and no class of the mean.
    predicted = np.bincount(pred[(pred >= 0) & (pred < num_classes)], minlength=num_classes)
    is_tested = total > 0
    return mean_accuracy(200.0 * correct[is_tested] / (total + predicted)[is_tested])


def _checked(pred: ArrayLike, target: ArrayLike, num_classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    given = (np.asarray(pred), np.asarray(target))
    for name, labels in zip(('pred', 'target'), given, strict=True):
        if labels.size and labels.dtype.kind not in 'iu':
            raise DataError(f'{name} must be labels, whole numbers, got {labels.dtype}.')
    pred, target = (labels.astype(np.int64) for labels in given)
    if pred.ndim != 1 or pred.shape != target.shape:
        raise DataError(f'pred and target must both have shape (N,), got {pred.shape} and {target.shape}.')
    check_labels(target, num_classes, where='The true labels')
    return pred, target
