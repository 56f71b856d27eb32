"""Radii and spreads of the classes as the head has them now."""

from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner
from numpy.typing import NDArray

from mmdrl.evaluation import ShotAccuracy
from mmdrl.models import DRHead
from mmdrl.stats import shot_groups


@torch.no_grad()
def radius_in_view(head: DRHead) -> NDArray[np.float64]:
    """Radii in the space that the classifier sees, shape ``(K,)``, of the layer whose loss acts there; 0 without."""
    for layer in head.dr_layers:
        if layer.centroids is None and getattr(layer.dr_loss, 'distance', None) == 'euclidean':
            return layer.dr_loss.radius(head.statistics).double().cpu().numpy()
    return np.zeros(head.num_classes)


@torch.no_grad()
def class_radii(head: DRHead) -> NDArray[np.float64] | None:
    """Radii of the last layer with the DR loss, shape ``(K,)``, in the unit of its distance; ``None`` without one."""
    policy = getattr(head.dr_loss, 'radius', None)
    if policy is None:
        return None
    known = head.dr_layers[-1].own_or(head.centroids)
    statistics = head.statistics._replace(spreads=known.spreads)
    return policy(statistics).double().cpu().numpy()


@torch.no_grad()
def class_spreads(head: DRHead) -> NDArray[np.float64]:
    """Root mean square distance of the features that the classifier sees from their centroid, nan if unknown."""
    return head.centroids.spreads.double().cpu().numpy()


def shot_settings_of(runner: Runner) -> dict[str, Any] | None:
    """Group edges of the run's first ``ShotAccuracy``; ``None`` if it has none."""
    loop = runner.val_loop
    metrics = [] if loop is None else loop.evaluator.metrics
    shots = [metric for metric in metrics if isinstance(metric, ShotAccuracy)]
    return dict(many=shots[0].many, few=shots[0].few, edges=shots[0].edges) if shots else None


def class_scalars(
    name: str, values: NDArray[np.float64], counts: NDArray[np.int64], settings: dict[str, Any] | None
) -> dict[str, float]:
    """``name/mean``, ``/largest``, ``/smallest`` and the mean of each shot group, over classes with finite values.

    Args:
        name: Put before.
        values: Shape ``(K,)``.
        counts: Training images per class, shape ``(K,)``; a class without any is left out.
        settings: Of :func:`mmdrl.stats.shot_groups`; ``None``: no groups.
    """
    is_known = np.isfinite(values) & (counts > 0)
    masks: dict[str, Any] = {} if settings is None else shot_groups(counts, **settings)
    parts = {group: values[mask & is_known] for group, mask in masks.items()}
    known = values[is_known]
    if not known.size:
        return {}
    found = dict(mean=known.mean(), largest=known.max(), smallest=known.min())
    found |= {group: part.mean() for group, part in parts.items() if part.size}
    return {f'{name}/{key}': float(value) for key, value in found.items()}
