"""All measures of one model, from features of its training images and of held-out ones."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmdrl.engine.rebalance.sweep import accuracies
from mmdrl.evaluation.representation import (
    Moments,
    centroid_errors,
    class_moments,
    effective_rank,
    effective_rank_of_features,
    knn_labels,
    mean_by_group,
    ncm_labels,
    nearest_other,
    neural_collapse,
    rank_correlation,
    within_scatter,
)
from mmdrl.stats import SHOT_GROUPS, shot_groups

from .features import Images


def all_measures(
    train: Images,
    test: Images,
    class_counts: NDArray[np.int64],
    groups: dict[str, Any],
    weight: Tensor | None,
    radii: Tensor | None,
    is_same_space: bool,
    k: int,
) -> dict[str, Any]:
    """Measures by kind and name: ``accuracy``, ``classes``, ``per_class``, ``overall`` and ``collapse``.

    Args:
        train: Training images.
        test: Held-out images.
        class_counts: By which classes are grouped, shape ``(K,)``.
        groups: ``many``, ``few`` and ``edges`` of :func:`mmdrl.stats.shot_groups`.
        weight: Of the linear classifier, shape ``(K, D)``; ``None`` without.
        radii: Of the DR loss, shape ``(K,)``; ``None`` without.
        is_same_space: Whether radii are of the space of the features.
        k: Of kNN.
    """
    num_classes = len(class_counts)
    of_train = class_moments(train.features, train.labels, num_classes)
    of_test = class_moments(test.features, test.labels, num_classes)
    nearest = {name: ncm_labels(images.features, of_train.means) for name, images in (('train', train), ('test', test))}
    knn, knn_balanced = knn_labels(train.features, train.labels, test.features, num_classes, k)
    predicted = dict(model=test.predicted, ncm=nearest['test'], knn=knn, knn_balanced=knn_balanced)
    per_class: dict[str, Tensor] = dict(
        spread_train=of_train.spreads,
        spread_test=of_test.spreads,
        nearest_centroid=nearest_other(of_train.means),
        **centroid_errors(of_train, of_test),
    )
    if radii is not None:
        per_class['radius'] = radii
        if is_same_space:
            error = per_class['centroid_error']
            per_class['in_ball'] = torch.where((error + radii).isfinite(), 100.0 * (error <= radii), torch.nan)
    masks = shot_groups(class_counts, **groups)
    sizes = of_train.counts.cpu().numpy()
    arrays = {name: values.detach().cpu().numpy() for name, values in per_class.items()}
    overall: dict[str, float] = {}
    collapse = {}
    for name, images, moments in (('train', train, of_train), ('test', test, of_test)):
        within = within_scatter(images.features, images.labels, moments)
        overall |= _overall(name, within, moments)
        weights = None if weight is None else weight[moments.is_seen]
        collapse[name] = neural_collapse(moments.means[moments.is_seen], within, weights)
        collapse[name]['nc4'] = float(100.0 * (images.predicted != nearest[name]).double().mean())
    return dict(
        accuracy={
            name: _without_mean(accuracies(labels.cpu(), test.labels.cpu(), class_counts, groups))
            for name, labels in predicted.items()
        },
        classes={
            name: mean_by_group(values, masks) | dict(rank_correlation=rank_correlation(values, sizes))
            for name, values in arrays.items()
        },
        overall=overall,
        collapse=collapse,
        per_class=dict(train_images=sizes, test_images=of_test.counts.cpu().numpy(), **arrays),
    )


def _overall(name: str, within: Tensor, moments: Moments) -> dict[str, float]:
    means = moments.means[moments.is_seen]
    centred = means - means.mean(dim=0)
    between = centred.square().sum(dim=1).mean().sqrt()
    spread = within.trace().sqrt()  # all classes alike, those of one image with 0
    return {
        f'within_{name}': float(spread),
        f'between_{name}': float(between),
        f'within_to_between_{name}': float(spread / between) if between > 0 else float('nan'),
        f'effective_rank_{name}': effective_rank_of_features(within, moments),
        f'effective_rank_means_{name}': effective_rank(torch.linalg.svdvals(centred)),
    }


def _without_mean(values: dict[str, float]) -> dict[str, float]:
    return {name: values[name] for name in (*SHOT_GROUPS, 'all')}
