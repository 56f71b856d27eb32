"""Tables for the terminal: results of runs, and the classes of data sets."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from rich import box
from rich.markup import escape
from rich.table import Table

from mmdrl.errors import DataError
from mmdrl.stats import Edges

COLUMNS = ('many', 'medium', 'few', 'all')
MEASURES = {
    'balanced': 'balanced',
    'macro_f1': 'macro F1',
    'worst_class': 'worst class',
    'head_tail_gap': 'many - few',
    'ece': 'ECE',
    'mce': 'MCE',
    'brier': 'Brier',
}
_WIDE = 100  # letters of a line from which on the measures stand beside each other
_NARROW = 56  # below which tables of more than three columns have no borders


def accuracy_table(
    rows: Mapping[str, Mapping[str, float | None]],
    title: str = '',
    columns: Sequence[str] = COLUMNS,
    width: int | None = None,
) -> Table:
    """One row per run or classifier, one column per shot group.

    Args:
        rows: Accuracy in percent by row name and group (``many``, ``medium``, ``few``, ``all``). A group without
            classes is nan, ``None`` or missing, and shown as a dash.
        title: Written above.
        columns: Which groups.
        width: Letters of a line; where there is little room, there are no borders.

    Returns:
        The table; print it with ``rich.print``.
    """
    table = _fitting(title, 'top-1 accuracy in percent; groups by training images per class', len(columns), width)
    table.add_column('', overflow='fold')  # long names give way, numbers do not
    for column in columns:
        table.add_column(column, justify='right', no_wrap=True, min_width=max(5, len(column)))
    for name, row in rows.items():
        table.add_row(escape(name), *(_percent(row.get(column)) for column in columns))
    return table


def measure_table(
    rows: Mapping[str, Mapping[str, float | None]], title: str = '', width: int | None = None
) -> Table | None:
    """What is measured beside the groups, one row per measure and one column per classifier; or the other way round.

    Args:
        rows: Measures by classifier and name, those of ``MEASURES``; one that is missing or nan is a dash.
        title: Written above.
        width: Letters of a line; the measures stand beside each other if there is room for that.

    Returns:
        The table; ``None`` if there is no such measure.
    """
    kept = [key for key in MEASURES if any(key in row for row in rows.values())]
    if not kept:
        return None
    cells = {name: [_measure(key, row.get(key)) for key in kept] for name, row in rows.items()}
    is_wide = width is not None and width >= _WIDE
    table = _fitting(title, 'percent, but for Brier (0 to 2)', len(kept) if is_wide else len(rows), width)
    table.add_column('', overflow='fold')
    names = [MEASURES[key] for key in kept]
    for name in names if is_wide else rows:
        table.add_column(escape(name), justify='right', overflow='fold')
    if is_wide:
        for name, texts in cells.items():
            table.add_row(escape(name), *texts)
    else:
        for number, name in enumerate(names):
            table.add_row(name, *(texts[number] for texts in cells.values()))
    return table


def measures_by_classifier(metrics: Mapping[str, float | None]) -> dict[str, dict[str, float | None]]:
    """Sort flat metrics into rows, those of ``MEASURES``: ``'ncm/balanced'`` belongs to ``'ncm'``."""
    rows: dict[str, dict[str, float | None]] = {}
    for key, value in metrics.items():
        classifier, _, measure = key.rpartition('/')
        if measure in MEASURES:
            rows.setdefault(classifier or 'linear', {})[measure] = value
    return rows


def by_classifier(metrics: Mapping[str, float | None]) -> dict[str, dict[str, float | None]]:
    """Sort flat metrics into rows: ``'few'`` belongs to ``'linear'``, ``'ncm/few'`` to ``'ncm'``."""
    rows: dict[str, dict[str, float | None]] = {}
    for key, value in metrics.items():
        classifier, _, group = key.rpartition('/')
        if group in COLUMNS:
            rows.setdefault(classifier or 'linear', {})[group] = value
    return rows


def group_rule(many: int, few: int, edges: Edges = 'exclusive') -> str:
    """Which classes are many- and few-shot, in words."""
    if edges == 'exclusive':
        return f'many-shot above {many} training images, few-shot below {few}'
    return f'many-shot from {many} training images on, few-shot up to {few}'


def statistics_table(statistics: Mapping[str, Mapping[str, int | float | None]], title: str = '') -> Table:
    """One column per data set, one row per number.

    Args:
        statistics: What :func:`mmdrl.stats.class_statistics` tells, by the name of the set. None is shown as a dash.
        title: Written above.
    """
    table = Table(title=title)
    table.add_column('', no_wrap=True)
    for name in statistics:
        table.add_column(escape(name), justify='right', overflow='fold')
    for row in next(iter(statistics.values()), {}):
        table.add_row(row.replace('_', ' '), *(_number(numbers[row]) for numbers in statistics.values()))
    return table


def largest_and_smallest_table(
    counts: Mapping[str, ArrayLike], class_names: Sequence[str] | None = None, head: int = 5, title: str = ''
) -> Table:
    """The largest and the smallest classes, by the images of the first set; one column per set.

    Args:
        counts: Images per class, shape ``(K,)``, by the name of the set; all have the same classes.
        class_names: K names. None: the labels.
        head: Classes to show of each end.
        title: Written above.

    Raises:
        DataError: If the numbers of classes differ.
    """
    arrays = [np.asarray(values) for values in counts.values()]
    shapes = {array.shape for array in arrays} | ({(len(class_names),)} if class_names is not None else set())
    if len(shapes) != 1:
        raise DataError(f'All sets must have the same classes, got {sorted(shapes)}.')
    order = np.argsort(-arrays[0].astype(np.int64), kind='stable')  # unsigned ones have no minus
    table = Table(title=title)
    table.add_column('class', no_wrap=True)
    for name in counts:
        table.add_column(escape(name), justify='right', overflow='fold')
    for rank, label in enumerate(order.tolist()):
        if rank == head and order.size > 2 * head:
            table.add_row('...', *('' for _ in arrays))
        if rank < head or rank >= order.size - head:
            name = str(label) if class_names is None else f'{label} {class_names[label]}'
            table.add_row(escape(name), *(f'{array[label]:,}' for array in arrays))
    return table


def _fitting(title: str, caption: str, columns: int, width: int | None) -> Table:
    if width is None or width >= _NARROW or columns <= 2:
        return Table(title=title, caption=caption)
    return Table(title=title, caption=caption, box=box.SIMPLE, padding=0)


def _measure(name: str, value: float | None) -> str:
    if name != 'brier':
        return _percent(value)
    return '-' if value is None or value != value else f'{value:.3f}'


def _number(value: int | float | None) -> str:
    if value is None:
        return '-'
    return f'{value:,}' if isinstance(value, int) else f'{value:,.3f}'.rstrip('0').rstrip('.')


def _percent(value: float | None) -> str:
    return '-' if value is None or value != value else f'{value:.1f}'
