"""Tables of results for the terminal."""

from collections.abc import Mapping

from rich.table import Table

COLUMNS = ('many', 'medium', 'few', 'all')


def accuracy_table(rows: Mapping[str, Mapping[str, float | None]], title: str = '') -> Table:
    """One row per run or classifier, one column per shot group.

    Args:
        rows: Accuracy in percent by row name and group (``many``, ``medium``, ``few``, ``all``). A group without
            classes is nan, ``None`` or missing, and shown as a dash.
        title: Written above.

    Returns:
        The table; print it with ``rich.print``.
    """
    table = Table(title=title, caption='top-1 accuracy in percent; groups by training images per class')
    table.add_column('', no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify='right', no_wrap=True)
    for name, row in rows.items():
        table.add_row(name, *(_percent(row.get(column)) for column in COLUMNS))
    return table


def by_classifier(metrics: Mapping[str, float | None]) -> dict[str, dict[str, float | None]]:
    """Sort flat metrics into rows: ``'few'`` belongs to ``'linear'``, ``'ncm/few'`` to ``'ncm'``."""
    rows: dict[str, dict[str, float | None]] = {}
    for key, value in metrics.items():
        classifier, _, group = key.rpartition('/')
        if group in COLUMNS:
            rows.setdefault(classifier or 'linear', {})[group] = value
    return rows


def _percent(value: float | None) -> str:
    return '-' if value is None or value != value else f'{value:.1f}'
