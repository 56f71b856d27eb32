"""Tables for the terminal: results of runs, and the classes of data sets."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from rich.markup import escape
from rich.table import Table

from mmdrl.errors import DataError

COLUMNS = ('many', 'medium', 'few', 'all')


def accuracy_table(
    rows: Mapping[str, Mapping[str, float | None]], title: str = '', columns: Sequence[str] = COLUMNS
) -> Table:
    """One row per run or classifier, one column per shot group.

    Args:
        rows: Accuracy in percent by row name and group (``many``, ``medium``, ``few``, ``all``). A group without
            classes is nan, ``None`` or missing, and shown as a dash.
        title: Written above.
        columns: Which groups.

    Returns:
        The table; print it with ``rich.print``.
    """
    table = Table(title=title, caption='top-1 accuracy in percent; groups by training images per class')
    table.add_column('', overflow='fold')  # long names give way, numbers do not
    for column in columns:
        table.add_column(column, justify='right', no_wrap=True, min_width=max(5, len(column)))
    for name, row in rows.items():
        table.add_row(escape(name), *(_percent(row.get(column)) for column in columns))
    return table


def by_classifier(metrics: Mapping[str, float | None]) -> dict[str, dict[str, float | None]]:
    """Sort flat metrics into rows: ``'few'`` belongs to ``'linear'``, ``'ncm/few'`` to ``'ncm'``."""
    rows: dict[str, dict[str, float | None]] = {}
    for key, value in metrics.items():
        classifier, _, group = key.rpartition('/')
        if group in COLUMNS:
            rows.setdefault(classifier or 'linear', {})[group] = value
    return rows


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


def _number(value: int | float | None) -> str:
    if value is None:
        return '-'
    return f'{value:,}' if isinstance(value, int) else f'{value:,.3f}'.rstrip('0').rstrip('.')


def _percent(value: float | None) -> str:
    return '-' if value is None or value != value else f'{value:.1f}'
