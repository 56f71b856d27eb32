"""One number per class, summed up: means of shot groups, and the trend with class size."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from mmdrl.evaluation import group_accuracy


def mean_by_group(per_class: ArrayLike, groups: Mapping[str, ArrayLike]) -> dict[str, float]:
    """Mean over the classes of each group and of ``all``, of those that are not nan; nan if there are none.

    Args:
        per_class: Shape ``(K,)``, any unit.
        groups: Masks, each of shape ``(K,)``, as :func:`mmdrl.stats.shot_groups` returns them.
    """
    return group_accuracy(per_class, {**groups, 'all': np.ones(np.shape(per_class), dtype=bool)})


def rank_correlation(per_class: ArrayLike, class_counts: ArrayLike) -> float:
    """Spearman's rank correlation of a measure with class size, from -1 to 1.

    Args:
        per_class: Shape ``(K,)``; classes with nan are left out.
        class_counts: Training images per class, shape ``(K,)``.

    Returns:
        The correlation; nan for fewer than three classes, or if either is the same for all.
    """
    from scipy.stats import spearmanr  # comes with scikit-learn

    values, counts = np.asarray(per_class, dtype=np.float64), np.asarray(class_counts)
    is_known = np.isfinite(values)
    values, counts = values[is_known], counts[is_known]
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(counts) == 0:
        return math.nan
    return float(spearmanr(values, counts).statistic)
