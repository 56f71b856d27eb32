"""Into which classes predictions go, counted so that every class weighs the same whatever its test images."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdrl.datasets.labels import check_labels
from mmdrl.errors import DataError

COLUMNS = ('right', 'many', 'medium', 'few')


def checked_predictions(labels: ArrayLike, predicted: ArrayLike, num_classes: int) -> tuple[NDArray, NDArray]:
    """True and predicted labels as arrays ``(N,)``.

    Raises:
        DataError: If the shapes differ, there is no sample, or a label lies outside ``[0, K)``.
    """
    true, pred = np.asarray(labels), np.asarray(predicted)
    if true.ndim != 1 or true.shape != pred.shape or not true.size:
        raise DataError(
            f'labels and predicted must both have shape (N,), N at least 1, got {true.shape} and {pred.shape}.'
        )
    check_labels(true, num_classes, where='The true labels')
    check_labels(pred, num_classes, where='The predicted labels')
    return true.astype(np.int64), pred.astype(np.int64)


def group_confusion(
    labels: ArrayLike, predicted: ArrayLike, groups: Mapping[str, NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Shares of the predictions for the images of each shot group, in percent, shape ``(3, 4)``.

    Row g is the mean over its classes c that have test images of

    .. math:: P(\\hat y = c), \\quad P(\\hat y \\ne c, \\hat y \\in many), \\quad \\dots medium, \\quad \\dots few

    so that its first value is the group's accuracy as ``mmdrl.ShotAccuracy`` has it, and a row sums to 100. A group
    without a tested class is nan.

    Args:
        labels: True labels, shape ``(N,)``.
        predicted: Predicted labels, shape ``(N,)``.
        groups: Masks ``many``, ``medium``, ``few``, each of shape ``(K,)``, as :func:`mmdrl.stats.shot_groups` makes
            them.

    Raises:
        DataError: If labels do not fit.
    """
    masks = np.stack([np.asarray(groups[name], dtype=bool) for name in COLUMNS[1:]])  # (3, K)
    num_classes = masks.shape[1]
    true, pred = checked_predictions(labels, predicted, num_classes)
    group_of = masks.argmax(axis=0)
    outcome = np.where(pred == true, 0, 1 + group_of[pred])
    per_class = np.bincount(4 * true + outcome, minlength=4 * num_classes).reshape(num_classes, 4)
    total = per_class.sum(axis=1)
    share = 100 * per_class / np.maximum(total, 1)[:, None]
    rows = [share[mask & (total > 0)] for mask in masks]
    return np.stack([row.mean(axis=0) if len(row) else np.full(4, np.nan) for row in rows])


def binned_confusion(labels: ArrayLike, predicted: ArrayLike, bin_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where the predictions for the classes of each bin go, in percent, shape ``(bins, bins)``, rows sum to 100.

    Every class of a bin weighs the same; a bin without a tested class is nan.

    Args:
        labels: True labels, shape ``(N,)``.
        predicted: Predicted labels, shape ``(N,)``.
        bin_of: Bin of each class, shape ``(K,)``; with one class in each this is the confusion matrix.

    Raises:
        DataError: If labels do not fit.
    """
    true, pred = checked_predictions(labels, predicted, bin_of.size)
    bins = int(bin_of.max()) + 1
    total = np.bincount(true, minlength=bin_of.size)
    tested = np.bincount(bin_of[total > 0], minlength=bins)  # classes
    weight = 100.0 / (total[true] * tested[bin_of[true]])  # of a sample
    cells = bins * bin_of[true] + bin_of[pred]
    sums: NDArray[np.float64] = np.bincount(cells, weight, bins * bins).reshape(bins, bins)  # type: ignore[assignment]
    sums[tested == 0] = np.nan
    return sums
