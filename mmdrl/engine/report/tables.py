"""The tables of a report, as texts in rows and columns; the templates only set them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mmdrl.engine.config import stage_hooks
from mmdrl.visualization.plan_rows import ROWS
from mmdrl.visualization.stage_changes import stage_changes
from mmdrl.visualization.tables import COLUMNS

from .groups import RunGroup, last_metrics, pairs
from .words import measure_name, signed, unit_digits, with_spread

CLASSIFIERS = ('linear', 'ncm')
# The accuracies by group have tables of their own, and measures by group follow their overall value.
_ORDER = ('balanced', 'macro_f1', 'worst_class', 'head_tail_gap', 'ece', 'mce', 'brier')


@dataclass
class Table:
    """A table with a header row and a header column.

    Attributes:
        caption: What it shows, in which unit.
        head: Header of each column; the first is that of the header column.
        rows: Texts; the first of a row is its header.
        is_numeric: Whether the cells are numbers, set to the right.
        marked: Numbers of rows that stand out.
    """

    caption: str
    head: list[str]
    rows: list[list[str]]
    is_numeric: bool = True
    marked: list[int] = field(default_factory=list)


def key_of(classifier: str, column: str) -> str:
    """Name of an accuracy among the metrics."""
    return column if classifier == 'linear' else f'{classifier}/{column}'


def accuracy_rows(groups: Sequence[RunGroup]) -> Table:
    """Many / medium / few / all of every group and classifier."""
    rows = []
    for group in groups:
        for classifier in CLASSIFIERS:
            cells = [group.spread(key_of(classifier, column)) for column in COLUMNS]
            if any(cells):
                count = max(cell.n for cell in cells if cell)
                rows.append([f'{group.name}, {_rule(group, classifier)}', *map(with_spread, cells), f'{count}'])
    return Table('Top-1 accuracy, percent, mean ± standard deviation over seeds', ['', *COLUMNS, 'seeds'], rows)


def difference_rows(groups: Sequence[RunGroup]) -> Table:
    """Paired differences of groups on the same seeds."""
    rows = []
    for first, other in pairs(groups):
        for classifier in CLASSIFIERS:
            cells = [other.less(first, key_of(classifier, column)) for column in COLUMNS]
            if any(cells):
                count = max(cell.n for cell in cells if cell)
                rows.append([f'{other.name} less {first.name}, {classifier}', *map(signed, cells), f'{count}'])
    caption = (
        'Differences on the same seeds, percentage points, mean ± standard error; * at least two standard errors from 0'
    )
    return Table(caption, ['', *COLUMNS, 'pairs'], rows)


def measure_rows(groups: Sequence[RunGroup]) -> Table:
    """All other measures: a row each, a column for each group."""
    accuracies = {key_of(classifier, column) for classifier in CLASSIFIERS for column in COLUMNS}
    found = dict.fromkeys(key for group in groups for record in group.records for key in last_metrics(record))
    others = sorted((key for key in found if key not in accuracies), key=_place)
    rows = []
    for key in others:
        cells = [with_spread(group.spread(key), unit_digits(key)) for group in groups]
        if any(cell != '-' for cell in cells):
            rows.append([measure_name(key), *cells])
    return Table('Other measures, mean ± standard deviation over seeds', ['', *(group.name for group in groups)], rows)


def stage_rows(group: RunGroup) -> Table:
    """Accuracies of the last validation of each stage."""
    names = list(dict.fromkeys(name for record in group.records for name in record.results.get('stages') or ()))
    rows = []
    for classifier in CLASSIFIERS:
        for name in names:
            cells = [group.spread(key_of(classifier, column), name) for column in COLUMNS]
            if any(cells):
                rows.append([f'{name}, {classifier}', *map(with_spread, cells)])
    return Table(f'{group.name}: accuracy at the end of each stage, percent', ['stage', *COLUMNS], rows)


def plan_rows(group: RunGroup) -> Table:
    """What the config says of each stage."""
    plan = stages(group)
    changes = [stage_changes(stage) for stage in plan]
    known = dict.fromkeys([*ROWS, *(key for rows in changes for key in rows)])
    keys = [key for key in known if any(key in rows for rows in changes)]
    table, begin = [], 1
    for stage, rows in zip(plan, changes, strict=True):
        end = begin + int(stage.get('epochs', 0)) - 1
        epochs = f'{begin} to {end}' if end > begin else f'{begin}'
        table.append([str(stage.get('name')), epochs, *(rows.get(key, '-') for key in keys)])
        begin = end + 1
    head = ['stage', 'epochs', *keys]
    return Table(f'{group.name}: what each stage changes in the config', head, table, is_numeric=False)


def _rule(group: RunGroup, classifier: str) -> str:
    """What predicts: the model's own rule has the name that the run gave it."""
    return str(group.records[0].results.get('classifier') or classifier) if classifier == 'linear' else classifier


def stages(group: RunGroup) -> list[dict[str, Any]]:
    """The plan of a group as its config has it, without factors of a DR loss that it lacks; empty if there is none."""
    config = group.records[0].config
    if config is None:
        return []
    plans = [hook.get('stages') for hook in stage_hooks(config) if isinstance(hook, dict)]
    plan = next(([dict(stage) for stage in plan] for plan in plans if isinstance(plan, list)), [])
    heads = [(config.get('model') or {}).get('head'), *(stage.get('head') for stage in plan)]
    if not any(isinstance(head, dict) and head.get('dr_loss') for head in heads):
        for stage in plan:
            weights = stage.get('loss_weights')
            if isinstance(weights, dict):
                stage['loss_weights'] = {name: factor for name, factor in weights.items() if name != 'loss_dr'}
    return plan


def _place(key: str) -> tuple[int, str, int, str]:
    """Known measures first, each followed by its values by group; those of the linear classifier before others."""
    classifier, _, name = key.rpartition('/')
    base, _, group = name.rpartition('_')
    if group not in COLUMNS:
        base, group = name, ''
    rank = _ORDER.index(base) if base in _ORDER else len(_ORDER)
    return rank, classifier, COLUMNS.index(group) + 1 if group else 0, key
