"""What the measures of a representation say of the balls of the DR loss, and of how it pulls images together."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmdrl.evaluation.representation import mean_by_group, rank_correlation

PerClass = Mapping[str, ArrayLike]


def balls(per_class: PerClass, groups: Mapping[str, NDArray]) -> dict[str, Any]:
    """Radii by class size: ``radius``, ``to_spread``, ``to_expected`` and ``in_ball``, by group, with their trend.

    - ``to_spread``: over the spread of held-out images of the class.
    - ``to_expected``: over the error that drawing so few images explains; 1: the ball is as large as that error is,
      root mean square.
    - ``in_ball``: percentage of classes whose held-out centroid lies in the ball.

    Args:
        per_class: Of a representation report, with ``radius`` in the unit of the features.
        groups: Masks of classes, shape ``(K,)``, by name.
    """
    radius, error = _array(per_class, 'radius'), _array(per_class, 'centroid_error')
    values = dict(
        radius=radius,
        to_spread=_ratio(radius, _array(per_class, 'spread_test')),
        to_expected=_ratio(radius, _array(per_class, 'expected_error')),
        in_ball=np.where(np.isfinite(error + radius), 100.0 * (error <= radius), np.nan),
    )
    return {name: _summary(entry, per_class, groups) for name, entry in values.items()}


def pull(per_class: PerClass, groups: Mapping[str, NDArray]) -> dict[str, Any]:
    r"""How near images lie to the training centroid of their class, over its distance to the nearest other centroid.

    Root mean squares: of training images, ``train``, that is their spread; of held-out ones, ``held_out``,
    :math:`\sqrt{s^2 + e^2}` of their spread s and the error e of the centroid. ``held_out_to_train`` is the
    ratio of the two: how much of the pull stays with the images it was trained on.

    Args:
        per_class: Of a representation report.
        groups: Masks of classes, shape ``(K,)``, by name.
    """
    nearest, train = _array(per_class, 'nearest_centroid'), _array(per_class, 'spread_train')
    held_out = np.hypot(_array(per_class, 'spread_test'), _array(per_class, 'centroid_error'))
    values = dict(
        train=_ratio(train, nearest), held_out=_ratio(held_out, nearest), held_out_to_train=_ratio(held_out, train)
    )
    return {name: _summary(entry, per_class, groups) for name, entry in values.items()}


def _summary(values: NDArray, per_class: PerClass, groups: Mapping[str, NDArray]) -> dict[str, float]:
    trend = rank_correlation(values, _array(per_class, 'train_images'))
    return mean_by_group(values, groups) | dict(rank_correlation=trend)


def _array(per_class: PerClass, name: str) -> NDArray[np.float64]:
    return np.asarray(per_class[name], dtype=np.float64)  # None, as JSON has it, becomes nan


def _ratio(value: NDArray, length: NDArray) -> NDArray:
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.where(length > 0, value / length, np.nan)
