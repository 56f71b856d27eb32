"""Numbers of trained networks in Markdown: with the DR loss and without it, and of those that have it."""

from collections.abc import Sequence
from typing import NamedTuple

from mmdrl.stats.spread import Difference, Spread, spread

from .looked_into import Pair
from .measured import MeasuredRow, values
from .tables import SPACE


class Column(NamedTuple):
    """A number of a table.

    Attributes:
        title: What readers are told.
        path: Where it stands in a record.
        factor: What brings it to the unit of the title.
        digits: After the point.
    """

    title: str
    path: tuple[str, ...]
    factor: float = 1.0
    digits: int = 1


def _class(measure: str, part: str) -> tuple[str, ...]:
    return ('insight', 'classes', measure, part)


NCM_FEW = Column('NCM, few', ('insight', 'accuracy', 'ncm', 'few'))
NEAREST_FEW = Column('error over nearest, few', _class('error_to_nearest', 'few'), 100)
HELD_OUT = Column('within over between, held-out', ('insight', 'overall', 'within_to_between_test'), 100)
IN_BALL_FEW = Column('held-out centroid in the ball, few', ('insight', 'balls', 'in_ball', 'few'))
PULL_ALL = Column('DR over classification, all', ('insight', 'gradients', 'features', 'all', 'ratio'), 1, 2)
CENTROIDS = (
    NCM_FEW,
    Column('error over nearest, many', _class('error_to_nearest', 'many'), 100),
    NEAREST_FEW,
    Column('error over expected, many', _class('error_to_expected', 'many'), 100, 0),
    Column('error over expected, few', _class('error_to_expected', 'few'), 100, 0),
    Column('within over between, training', ('insight', 'overall', 'within_to_between_train'), 100),
    HELD_OUT,
)
PULL = tuple(
    Column(f'{words}, {part}', ('insight', 'pull', name, part), 100, 0)
    for name, words in (('train', 'training'), ('held_out', 'held-out'))
    for part in ('many', 'medium', 'few')
)
GRADIENTS = (
    *(Column(f'DR over classification, {part}', ('insight', 'gradients', 'features', part, 'ratio'), 1, 2)
      for part in ('many', 'medium', 'few', 'all')),
    Column('cosine, all', ('insight', 'gradients', 'features', 'all', 'cosine'), 1, 2),
    Column('backbone: DR over classification', ('insight', 'gradients', 'backbone', 'ratio'), 1, 2),
    Column('backbone: cosine', ('insight', 'gradients', 'backbone', 'cosine'), 1, 2),
)  # fmt: skip
BALLS = tuple(
    Column(f'{words}, {part}', ('insight', 'balls', name, part), factor, 0)
    for name, words, factor in (
        ('to_spread', 'radius over spread', 100),
        ('to_expected', 'radius over expected error', 100),
        ('in_ball', 'centroid in the ball', 1),
    )
    for part in ('many', 'few')
)


def pair_table(found: Sequence[Pair], columns: Sequence[Column], corner: str = '') -> str:
    """Each control, the rows that it is the control of, and the differences; bold if beyond chance."""
    lines = _head(columns, corner)
    for control in {id(pair.control): pair.control for pair in found}.values():
        lines.append(_row_line(control, columns))
        for pair in found:
            if pair.control is not control:
                continue
            lines.append(_row_line(pair.row, columns))
            cells = [signed(pair.difference(*column.path, factor=column.factor), column.digits) for column in columns]
            seeds = set(values(pair.row, *columns[0].path)) & set(values(control, *columns[0].path))
            lines.append(line_of([f'`{pair.row.row.name}` - `{control.row.name}`', str(len(seeds)), *cells]))
    return '\n'.join(lines) + '\n'


def row_table(rows: Sequence[MeasuredRow], columns: Sequence[Column], corner: str = '') -> str:
    """A line per row; empty without rows."""
    if not rows:
        return ''
    return '\n'.join([*_head(columns, corner), *(_row_line(row, columns) for row in rows)]) + '\n'


def signed(found: Difference | None, digits: int) -> str:
    """Mean difference with its standard error, bold if it is beyond chance."""
    if found is None:
        return '-'
    error = '' if found.error is None else f'{SPACE}±{SPACE}{found.error:.{digits + 1}f}'
    text = f'{found.mean:+.{digits + 1}f}{error}'
    return f'**{text}**' if found.is_noise is False else text


def number(found: Spread | None, digits: int) -> str:
    """Mean with the standard deviation over seeds, where there are several."""
    if found is None:
        return '-'
    return f'{found.mean:.{digits}f}' + ('' if found.std is None else f'{SPACE}±{SPACE}{found.std:.{digits}f}')


def spread_of(row: MeasuredRow, column: Column, seeds: Sequence[int] | None = None) -> Spread | None:
    """Of a number over the seeds of a row, all or those that are given."""
    found = values(row, *column.path, factor=column.factor)
    return spread([value for seed, value in found.items() if seeds is None or seed in seeds])


def _head(columns: Sequence[Column], corner: str) -> list[str]:
    return [line_of([corner, 'seeds', *(column.title for column in columns)]), '|---' * (2 + len(columns)) + '|']


def _row_line(row: MeasuredRow, columns: Sequence[Column]) -> str:
    name = f'`{row.row.name}`' if not row.row.label else f'{row.row.label} (`{row.row.name}`)'
    seen = sum(bool(cell.get('insight')) for cell in row.cells)
    return line_of([name, str(seen), *(number(spread_of(row, column), column.digits) for column in columns)])


def line_of(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f'| {" | ".join(cells)} |'.replace('|  |', '| |')
