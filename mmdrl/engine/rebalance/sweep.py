"""What a rule would come to on held-out images, from their features alone."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from mmdrl.errors import ConfigError
from mmdrl.evaluation import group_accuracy, per_class_accuracy
from mmdrl.stats import SHOT_GROUPS, shot_groups

from .rules import Rule

METRICS = (*SHOT_GROUPS, 'all', 'mean')
_SCORES = 1 << 24  # computed at a time, 64 MiB


@torch.no_grad()
def predicted_labels(layer: nn.Linear, entries: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """Class of every sample, shape ``(N,)``, long, on the CPU, as MMPretrain's heads predict it.

    Args:
        layer: Last layer of the model; stays as it is.
        entries: What differs in its state.
        features: Shape ``(N, D)``, moved to the device of the layer in parts.
    """
    labels = []
    for part in features.split(max(1, _SCORES // layer.out_features)):
        scores = functional_call(layer, dict(entries), (part.to(layer.weight.device),))
        labels.append(
            scores.softmax(dim=1).argmax(dim=1).cpu()
        )  # by rounding, other scores may tie than before softmax
    return torch.cat(labels)


def accuracies(
    predicted: Tensor, labels: Tensor, class_counts: NDArray[np.int64], groups: Mapping[str, Any]
) -> dict[str, float]:
    """Accuracy in percent of each shot group, of all samples, and the mean of the groups.

    Args:
        predicted: Shape ``(N,)``.
        labels: Shape ``(N,)``.
        class_counts: Training images per class, shape ``(K,)``.
        groups: ``many``, ``few`` and ``edges`` of :func:`mmdrl.stats.shot_groups`.

    Returns:
        By the names in ``METRICS``; nan for a group without images. ``mean`` leaves such a group out. It weighs the
        groups alike, however many classes or images they have, and so differs from ``all`` on a balanced set, too.

    Raises:
        DataError: If a label lies outside ``[0, K)``.
    """
    per_class = per_class_accuracy(predicted, labels, len(class_counts))
    values = group_accuracy(per_class, shot_groups(class_counts, **groups))
    known = [value for value in values.values() if not math.isnan(value)]
    values['all'] = float(100.0 * (predicted == labels).double().mean())
    values['mean'] = sum(known) / len(known) if known else math.nan
    return values


def check_metric(name: str) -> None:
    """Raise ConfigError unless :func:`accuracies` has it."""
    if name not in METRICS:
        raise ConfigError(f'Expected --choose to be one of {", ".join(METRICS)}, got {name!r}.')


def best_of(results: Mapping[Any, Mapping[str, float]], metric: str) -> Any:
    """Key of the best result; of equals the first.

    Raises:
        ConfigError: If the metric is nan in all results.
    """
    known = [key for key, values in results.items() if not math.isnan(values[metric])]
    if not known:
        raise ConfigError(f'No held-out image is of a class of the group {metric!r}. Choose by another metric.')
    return max(known, key=lambda key: results[key][metric])


def best_per_rule(results: Mapping[Rule, Mapping[str, float]], metric: str, shortened: Collection[str]) -> list[Rule]:
    """Rules worth a look, in their order: of those named ``shortened`` the best strength, of the others all.

    Args:
        results: Accuracies of all rules.
        metric: By which they are compared; where it is nan for all strengths of a rule, the first is taken.
        shortened: Names of rules.
    """
    best: dict[str, Rule] = {}
    for rule, values in results.items():
        if rule.name not in best or values[metric] > results[best[rule.name]][metric]:
            best[rule.name] = rule
    return [rule for rule in results if rule.name not in shortened or rule == best[rule.name]]
