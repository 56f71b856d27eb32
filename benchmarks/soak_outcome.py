"""What a training has come to, read from its folder, and how two of them differ."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmdrl.engine.checkpoints import latest_checkpoint, read_checkpoint
from mmdrl.engine.predictions import read_predictions
from mmdrl.engine.results import read_results

PARTS = ('state_dict', 'optimizer', 'param_schedulers')
RESULTS = ('metrics', 'per_class', 'stages', 'class_counts', 'epochs', 'iterations')


class Outcome(NamedTuple):
    """Everything that must not depend on whether a training was killed.

    Attributes:
        values: By part, then by name: weights, buffers, optimiser, schedules, predictions, results.
        losses: Of every iteration.
    """

    values: dict[str, dict[str, Any]]
    losses: dict[int, float]


def read_outcome(folder: Path) -> Outcome:
    """That of an ended training."""
    checkpoint = read_checkpoint(str(latest_checkpoint(str(folder)))) or {}
    results = read_results(folder)
    values = {part: dict(_leaves(checkpoint[part])) for part in PARTS}
    values['predictions'] = {name: torch.as_tensor(array) for name, array in read_predictions(folder).items()}
    values['results'] = dict(_leaves({key: results.get(key) for key in RESULTS}))
    return Outcome(values, logged_losses(folder))


def compare(found: Outcome, whole: Outcome) -> dict[str, Any]:
    """``differs``: parts that are not equal bit for bit; ``deviation``: the largest of weights and buffers.

    A deviation is that of a tensor's values relative to the largest of them.
    """
    differs = [part for part in whole.values if not _is_same(found.values[part], whole.values[part])]
    if found.losses != whole.losses:
        differs.append('losses')
    deviation = 0.0
    for name, value in whole.values['state_dict'].items():
        if value.is_floating_point() and value.numel():
            largest = float(value.abs().max())
            distance = float((found.values['state_dict'][name] - value).abs().max())
            deviation = max(deviation, distance / largest if largest else distance)
    metrics = {
        name: [found.values['results'].get(name), value]
        for name, value in whole.values['results'].items()
        if name.startswith('metrics/') and found.values['results'].get(name) != value
    }
    return dict(differs=differs, deviation=deviation, metrics=metrics)


def last_iteration(folder: Path) -> int:
    """That of the last checkpoint; 0 if there is none."""
    path = latest_checkpoint(str(folder)) if (folder / 'last_checkpoint').is_file() else None
    return 0 if path is None else int((read_checkpoint(path) or {})['meta']['iter'])


def logged_losses(folder: Path, last: bool = False) -> dict[int, float]:
    """Loss by iteration; of one that was repeated, that of the last time.

    Args:
        folder: Of a training whose logger writes every iteration.
        last: Take the newest part only.
    """
    losses = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json'))[-1 if last else 0 :]:
        for line in path.read_text().splitlines():
            try:
                values = json.loads(line)
            except ValueError:  # cut by a kill
                continue
            if 'loss' in values:
                losses[int(values['iter'])] = float(values['loss'])
    return losses


def _leaves(value: Any, name: str = '') -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, entry in value.items() for leaf in _leaves(entry, f'{name}/{key}'.lstrip('/'))]
    if isinstance(value, (list, tuple)):
        return [leaf for key, entry in enumerate(value) for leaf in _leaves(entry, f'{name}/{key}'.lstrip('/'))]
    return [(name, value)]


def _is_same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return found.keys() == wanted.keys() and all(_equal(found[name], value) for name, value in wanted.items())


def _equal(found: Any, value: Any) -> bool:
    if not isinstance(value, Tensor):
        return bool(found == value)
    return isinstance(found, Tensor) and found.dtype == value.dtype and torch.equal(found, value)
