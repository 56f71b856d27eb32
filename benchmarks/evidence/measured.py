"""The records of what has been trained, read and checked: besides the plans all that tables and figures are made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdrl.errors import DataError
from mmdrl.stats.spread import Spread, spread

from .plan import Plan, Row, read_plan

PLANS, RECORDS = 'benchmarks/plans', 'benchmarks/results/accuracy'  # below the repository
# The kinds of what every record must have.
_KEYS: dict[str, type | tuple[type, ...]] = {
    'plan': str,
    'row': str,
    'seed': int,
    'budget': str,
    'split': str,
    'config': str,
    'options': dict,
    'config_hash': str,
    'epochs': int,
    'parameters': int,
    'train_seconds': (int, float),
    'metrics': dict,
    'made_with': dict,
}


@dataclass(frozen=True)
class MeasuredRow:
    """A row of a plan with the records it has so far, by seed."""

    row: Row
    cells: tuple[dict[str, Any], ...] = ()

    def values(self, metric: str) -> dict[int, float]:
        """A metric of the last epoch by seed, in percent, without those that are nan or missing."""
        return values(self, 'metrics', metric)

    def spread(self, metric: str) -> Spread | None:
        """Of a metric over seeds."""
        return spread(list(self.values(metric).values()))

    def best(self) -> Spread | None:
        """Over seeds, of the accuracy at the epoch that was best on what the training was validated on."""
        return spread([float(cell['best']['all']) for cell in self.cells if cell.get('best')])


@dataclass(frozen=True)
class MeasuredPlan:
    """A plan with the records it has so far; a row of the plan without a record has no cells."""

    plan: Plan
    rows: tuple[MeasuredRow, ...]

    @property
    def cells(self) -> list[dict[str, Any]]:
        """All records."""
        return [cell for row in self.rows for cell in row.cells]

    @property
    def planned(self) -> int:
        """Trainings that the plan asks for."""
        return sum(row.row.seeds for row in self.rows)

    @property
    def is_evidence(self) -> bool:
        """Whether its numbers may stand beside published ones: whole trainings, judged by the test set."""
        return self.plan.budget == 'full' and self.plan.split == 'test'

    @property
    def command(self) -> str:
        """What runs the plan, and goes on with it."""
        return f'python benchmarks/accuracy.py {PLANS}/{self.plan.path.name}'

    def row(self, name: str) -> MeasuredRow | None:
        """That of a name, if there is one."""
        return next((row for row in self.rows if row.row.name == name), None)


def values(row: MeasuredRow, *path: str, factor: float = 1.0) -> dict[int, float]:
    """A number of the records by seed, without those that have none.

    Args:
        row: Which one.
        path: Keys to it, from the record on.
        factor: By which it is multiplied.
    """
    found = {cell['seed']: at(cell, path) for cell in row.cells}
    return {seed: factor * float(value) for seed, value in found.items() if value is not None and value == value}


def at(content: Any, path: Sequence[str]) -> Any:
    """What lies at the end of a path of keys; ``None`` where it breaks off."""
    for key in path:
        if not isinstance(content, Mapping):
            return None
        content = content.get(key)
    return content


def read_all(root: Path) -> list[MeasuredPlan]:
    """Every plan of the repository with its records: whole budgets first, then by name.

    Raises:
        ConfigError: If a plan is wrong.
        DataError: If a record is damaged, or of no plan.
    """
    plans = [read_plan(path) for path in sorted((root / PLANS).glob('*.yaml'))]
    for folder in sorted((root / RECORDS).glob('*/')):
        if any(folder.glob('*.json')) and folder.name not in [plan.name for plan in plans]:
            raise DataError(
                f'Expected a plan for the records in {folder}, got none at {PLANS}/{folder.name}.yaml. '
                'Bring the plan back, or move the records away.'
            )
    measured = [read_measured(plan, root / RECORDS / plan.name) for plan in plans]
    return sorted(measured, key=lambda entry: (('full', 'short', 'check').index(entry.plan.budget), entry.plan.name))


def read_measured(plan: Plan, folder: Path) -> MeasuredPlan:
    """A plan with the records of a folder.

    Raises:
        DataError: If a record is damaged, belongs to no row of the plan or to another kind of run than the plan asks
            for, or if those of one row were trained by different configs.
    """
    cells = []
    for path in sorted(folder.glob('*.json')):
        cells.append(_read(path))
        _check(path, cells[-1], plan)
    rows = []
    for row in plan.rows:
        own = sorted((cell for cell in cells if cell['row'] == row.name), key=lambda cell: cell['seed'])
        if len(hashes := {cell['config_hash'] for cell in own}) > 1:
            raise DataError(
                f'Expected all seeds of row {row.name} in {folder} to be trained by one config, got {len(hashes)}: '
                + ', '.join(f'{row.name}_{cell["seed"]}.json by {cell["config_hash"][:8]}' for cell in own)
                + '. Train the older ones again: remove their files and run the plan.'
            )
        rows.append(MeasuredRow(row, tuple(own)))
    return MeasuredPlan(plan, tuple(rows))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, OSError) as error:
        raise DataError(f'Expected JSON in {path}, got a damaged file: {error}. Remove it and train again.') from None
    wrong = [key for key, kind in _KEYS.items() if not isinstance(content, dict) or not _is(content.get(key), kind)]
    if wrong:
        raise DataError(
            f'Expected the record of a training in {path}, got one without a usable {", ".join(wrong)}. '
            'Remove it and train again.'
        )
    return dict(content)


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _check(path: Path, cell: dict[str, Any], plan: Plan) -> None:
    """Whether a record is what its name and the plan say."""
    row = next((row for row in plan.rows if row.name == cell['row']), None)
    if row is None:
        raise DataError(
            f'Expected rows of {plan.path.name} in {path.parent}, got {path.name} of row {cell["row"]}. '
            'Bring the row back, or move the file away.'
        )
    asked: dict[str, Any] = {'plan': plan.name, 'budget': plan.budget, 'split': plan.split}
    asked |= {'config': row.config, 'options': row.options}
    if row.epochs is not None:
        asked['epochs'] = row.epochs
    for key, value in asked.items():
        if cell[key] != value:
            raise DataError(
                f'Expected {key} {value} in {path}, as the plan has it, got {cell[key]}. Delete it and train again, or '
                'take the change of the plan back.'
            )
    if path.stem != f'{cell["row"]}_{cell["seed"]}':
        raise DataError(f'Expected {cell["row"]}_{cell["seed"]}.json as name of {path}: that is what it holds.')
