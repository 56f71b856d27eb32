"""What is kept of a training: one small JSON file, which the pages are made of."""

import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdrl.engine.results import write_json
from mmdrl.engine.run_record import RunRecord, read_run
from mmdrl.errors import DataError

from .cells import config_hash
from .plan import Cell, Plan

MADE_WITH = (  # no command: it has the paths of a machine
    'git', 'python', 'platform', 'cpu', 'devices', 'processes', 'threads', 'deterministic', 'versions',
    'total_batch_size',
)  # fmt: skip
SHOTS = ('all', 'many', 'medium', 'few')
_DIGITS = 4


def record_path(out: Path, plan: Plan, cell: Cell) -> Path:
    """File of a cell below the folder of all records."""
    return out / plan.name / f'{cell.name}.json'


def recorded_hash(path: Path) -> str | None:
    """Which config a record is of; ``None`` if there is no record.

    Raises:
        DataError: If the file holds something else.
    """
    if not path.is_file():
        return None
    try:
        return str(json.loads(path.read_text())['config_hash'])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'Expected the record of a training in {path}, got {error!r}. Delete it to train again.'
        ) from None


def write_record(path: Path, plan: Plan, cell: Cell, cfg: Config, folder: Path, insight: Any) -> None:
    """Write the record of a training that has ended, whole or not at all.

    Args:
        path: Of the record.
        plan: That the cell is of.
        cell: What was trained.
        cfg: Its config.
        folder: Its work folder.
        insight: What was found in the trained network, plain values, or ``None``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(record(plan, cell, cfg, read_run(folder), insight), path)


def record(plan: Plan, cell: Cell, cfg: Config, run: RunRecord, insight: Any) -> dict[str, Any]:
    """Content of a record, by the keys that docs/howto/accuracy.md explains."""
    results = run.results
    return dict(
        plan=plan.name,
        row=cell.row.name,
        label=cell.row.label,
        seed=cell.seed,
        budget=plan.budget,
        split=plan.split,
        config=cell.row.config,
        options=cell.row.options,
        config_hash=config_hash(cfg),
        epochs=results['epochs'],
        iterations=results['iterations'],
        parameters=results['parameters'],
        train_seconds=results['train_seconds'],
        metrics=_rounded(results['metrics']),
        best=best_epoch(run.val),
        curve=dict(train=train_curve(run.train), val=[_rounded(_shots(entry)) for entry in run.val]),
        class_counts=results['class_counts'],
        shot_groups=results['shot_groups'],
        per_class=_rounded(results['per_class']),
        stages=_rounded(results.get('stages')),
        insight=insight,
        made_with={key: results.get(key) for key in MADE_WITH},
    )


def best_epoch(val: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The validation with the best accuracy of all classes, the first of equals; ``None`` of a single validation."""
    measured = [entry for entry in val if 'all' in entry and 'epoch' in entry]
    return _rounded(_shots(max(measured, key=lambda entry: entry['all']))) if len(measured) > 1 else None


def train_curve(train: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Losses by epoch, ``{'epoch': 1, 'loss': ...}``: of each, the last line of the epoch that has any."""
    epochs: dict[int, dict[str, float]] = {}
    for entry in train:
        losses = {key: value for key, value in entry.items() if key.startswith('loss') and value is not None}
        if losses and 'epoch' in entry:
            epochs[entry['epoch']] = losses
    return [_rounded(dict(epoch=epoch, **losses)) for epoch, losses in sorted(epochs.items())]


def _shots(entry: dict[str, Any]) -> dict[str, Any]:
    keys = ('epoch', *SHOTS, *(f'ncm/{key}' for key in SHOTS))
    return {key: entry[key] for key in keys if key in entry}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return round(value, _DIGITS) if isinstance(value, float) else value
