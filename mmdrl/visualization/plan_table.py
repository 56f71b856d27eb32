"""The plan of a run for the terminal: what all stages share on top, then one column or block per stage."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .plan_rows import ALWAYS, ROWS, count, stage_rows, wrapped

MIN_COLUMN = 23  # letters that a stage needs beside the others; where there is less room, stages stand below each other


def plan_table(plan: Mapping[str, Any], title: str, width: int) -> RenderableType:
    """Page of a plan; print it with rich.

    Args:
        plan: What :func:`mmdrl.engine.describe.describe_run` tells.
        title: Name of the config.
        width: Letters of a line.
    """
    stages: Sequence[Mapping[str, Any]] = plan['stages']
    rows = [stage_rows(stage, plan) for stage in stages]
    page: list[RenderableType] = [Text(_headline(plan, title), style='bold')]
    if plan['load_from']:
        page.append(Text(f'Begins with the weights of {plan["load_from"]}.'))
    for loader, reason in list(plan['unread'].items())[:1]:
        unknown = 'The training set was not read, so ? stands for what only it could tell.'
        page.append(Text(f'{unknown if loader == "train_dataloader" else "The validation set was not read."} {reason}'))
    if len(stages) == 1:
        return Group(*page, _block(rows[0], width))
    shared = [name for name in ROWS if len({row.get(name) for row in rows}) == 1 and name not in ALWAYS]
    common = {name: rows[0][name] for name in shared if name in rows[0]}
    if common:
        page += [Text('all stages', style='italic'), _block(common, width)]
    own = [{name: row[name] for name in ROWS if name in row and name not in shared} for row in rows]
    names = [f'{number} {stage["name"]}' for number, stage in enumerate(stages, 1)]
    label = max(len(name) for row in own for name in row)
    column = (width - label - 4) // len(stages) - 3
    if column >= MIN_COLUMN:
        return Group(*page, _columns(own, names, column))
    for name, row in zip(names, own, strict=True):
        page += [Text(name, style='italic'), _block(row, width)]
    return Group(*page)


def _headline(plan: Mapping[str, Any], title: str) -> str:
    epochs, iterations = plan['epochs'], plan['iterations']
    parts = [] if epochs is None else [f'{epochs} epoch{"s" * (epochs > 1)}']
    parts.append('? iterations' if iterations is None else f'{iterations:,} iterations')
    return f'{title}: {", ".join(parts)}, {count(plan["parameters"])} parameters'


def _block(rows: Mapping[str, str], width: int) -> Table:
    label = max(map(len, rows))
    room = max(width - label - 7, 1)  # borders and the room beside them
    table = Table(show_header=False)
    table.add_column(width=label)
    table.add_column(width=room, overflow='fold')
    for name, text in rows.items():
        table.add_row(name, Text(wrapped(text, room)))
    return table


def _columns(rows: Sequence[Mapping[str, str]], names: Sequence[str], room: int) -> Table:
    table = Table()
    table.add_column('', no_wrap=True)
    for name in names:
        table.add_column(Text(name), width=room, overflow='fold')
    for name in ROWS:
        if any(name in row for row in rows):
            table.add_row(name, *(Text(wrapped(row.get(name, '-'), room)) for row in rows))
    return table
