"""What is to be trained: a table of methods, each over several seeds, read from a YAML file.

Keys of a plan: ``title``, ``text``, ``budget``, ``split``, ``holdout_per_class``, ``rows``; for all rows or for one:
``options``, ``epochs``, ``every``, ``seeds``. ``docs/howto/accuracy.md`` explains them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mmdrl.errors import ConfigError

BUDGETS = ('full', 'short', 'check')
SPLITS = ('test', 'holdout')
_OF_ROWS = {'options': dict, 'epochs': int, 'every': int, 'seeds': int}
_OF_PLAN = {'title': str, 'text': str, 'budget': str, 'split': str, 'holdout_per_class': int, 'rows': list}
_OF_ROW = {'name': str, 'label': str, 'config': str, 'control': str, 'variant_of': str, 'group': str}


class Row(NamedTuple):
    """A method: one line of a table.

    Attributes:
        name: Of its files: small letters, digits and hyphens.
        config: Path below the repository.
        label: What readers are told.
        group: Heading under which it stands.
        control: Name of the row that is the same but for what this one shows, or ``''``.
        variant_of: Name of the row of which it changes one part, or ``''``.
        options: Overrides of the config by dotted keys, over those of the plan.
        epochs: To which the schedule is stretched; ``None``: as the config has it.
        every: Epochs from one validation to the next; 0: the last alone.
        seeds: How many, from 0.
    """

    name: str
    config: str
    label: str = ''
    group: str = ''
    control: str = ''
    variant_of: str = ''
    options: dict[str, Any] = {}
    epochs: int | None = None
    every: int = 0
    seeds: int = 1


class Cell(NamedTuple):
    """One training: a row with a seed."""

    row: Row
    seed: int

    @property
    def name(self) -> str:
        """Of its folder and its record."""
        return f'{self.row.name}_{self.seed}'


@dataclass(frozen=True)
class Plan:
    """A table of methods and seeds; attributes as the keys of the file."""

    path: Path
    title: str
    rows: tuple[Row, ...]
    text: str = ''
    budget: str = 'full'
    split: str = 'test'
    holdout_per_class: int = 20

    @property
    def name(self) -> str:
        """Of the file, and of the folder of its records."""
        return self.path.stem

    def cells(self, names: list[str] | None = None, seeds: int | None = None) -> Iterator[Cell]:
        """The trainings, seed by seed, so that a part of them is a fair comparison.

        Args:
            names: Only of these rows.
            seeds: So many seeds of each row at most.

        Raises:
            ConfigError: If there is no row of such a name.
        """
        known = [row.name for row in self.rows]
        if unknown := set(names or ()) - set(known):
            raise ConfigError(
                f'Expected rows of {self.path.name}, which are {", ".join(known)}, got {", ".join(sorted(unknown))}.'
            )
        rows = [row for row in self.rows if names is None or row.name in names]
        for seed in range(max((row.seeds for row in rows), default=0)):
            if seeds is None or seed < seeds:
                yield from (Cell(row, seed) for row in rows if seed < row.seeds)


def read_plan(path: Path | str) -> Plan:
    """Read and check a plan.

    Raises:
        ConfigError: If there is no such file, it is no YAML, or a key is unknown, missing or of the wrong kind.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f'Expected a plan, a YAML file, at {path}, found none. Those there are lie in {_PLANS}.')
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (yaml.YAMLError, UnicodeError) as error:
        raise ConfigError(f'Expected YAML in {path}, got {error}.') from None
    _check(content, _OF_PLAN | _OF_ROWS, ('title', 'rows'), str(path))
    common = {key: content[key] for key in _OF_ROWS if key in content}
    rows = tuple(_row(entry, common, path) for entry in content['rows'])
    plan = Plan(path, rows=rows, **{key: content[key] for key in _OF_PLAN if key in content and key != 'rows'})
    _check_plan(plan)
    return plan


_PLANS = 'benchmarks/plans'


def _row(entry: Any, common: dict[str, Any], path: Path) -> Row:
    name = entry.get('name', '') if isinstance(entry, dict) else ''
    _check(entry, _OF_ROW | _OF_ROWS, ('name', 'config'), f'row {name!r} of {path}')
    if not re.fullmatch('[a-z0-9-]+', entry['name']):
        raise ConfigError(f'{path}: expected a row name of small letters, digits and hyphens, got {entry["name"]!r}.')
    values = common | entry
    values['options'] = common.get('options', {}) | entry.get('options', {})
    row = Row(**values)
    for key, least in (('seeds', 1), ('every', 0), ('epochs', 1)):
        value = getattr(row, key)
        if value is not None and value < least:
            raise ConfigError(f'Row {row.name} of {path}: expected {key} of {least} or more, got {value}.')
    return row


def _check(content: Any, known: dict[str, type], needed: tuple[str, ...], place: str) -> None:
    if not isinstance(content, dict):
        raise ConfigError(f'Expected keys with values in {place}, got {content!r:.60}.')
    if unknown := [key for key in content if key not in known]:
        raise ConfigError(f'Expected keys out of {", ".join(known)} in {place}, got {", ".join(map(str, unknown))}.')
    if missing := [key for key in needed if key not in content]:
        raise ConfigError(f'Expected {", ".join(missing)} in {place}, found none.')
    for key, value in content.items():
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise ConfigError(f'Expected {known[key].__name__} as {key} of {place}, got {value!r:.60}.')


def _check_plan(plan: Plan) -> None:
    for key, allowed in (('budget', BUDGETS), ('split', SPLITS)):
        if getattr(plan, key) not in allowed:
            raise ConfigError(
                f'Expected {key} to be one of {", ".join(allowed)} in {plan.path}, got {getattr(plan, key)}.'
            )
    names = [row.name for row in plan.rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f'Expected each row of {plan.path} once, got {", ".join(twice)} more often.')
    for row in plan.rows:
        for key in ('control', 'variant_of'):
            other = getattr(row, key)
            if other and (other not in names or other == row.name):
                raise ConfigError(f'Row {row.name} of {plan.path}: expected another row as its {key}, got {other!r}.')
    if plan.holdout_per_class < 1:
        raise ConfigError(f'Expected holdout_per_class of 1 or more in {plan.path}, got {plan.holdout_per_class}.')
