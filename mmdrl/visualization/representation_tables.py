"""Tables of representation reports: a column for each model, a row for each measure."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from .representation_rows import representation_rows

CAPTIONS = {
    'Accuracy (%)': 'top-1 of held-out images; groups by training images per class',
    'Classes': 'means over the classes of a group; trend: rank correlation with class size, -1 to 1',
    'Space': 'all classes count alike; collapsed features have 0 in all NC rows',
}


def representation_tables(reports: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """One table for accuracy, one for classes by size, one for the space as a whole.

    Args:
        reports: Of :func:`mmdrl.engine.representation.representation_report`, by the name of the model.
    """
    tables = []
    for title, rows in representation_rows(reports).items():
        table = Table(title=title, caption=CAPTIONS[title])
        table.add_column('', no_wrap=True)
        table.add_column('', no_wrap=True)
        for name in reports:
            table.add_column(escape(name), justify='right', overflow='fold')
        for number, row in enumerate(rows):
            is_first = number == 0 or rows[number - 1].name != row.name
            is_last = number + 1 == len(rows) or rows[number + 1].name != row.name
            cells = [_number(value, row.part == 'trend' or title == 'Space') for value in row.values]
            table.add_row(row.name if is_first else '', row.part, *cells, end_section=is_last and title != 'Space')
        tables.append(table)
    return tables


def _number(value: float | None, is_fine: bool) -> str:
    """Three digits, or the two places of a correlation and one of a percentage."""
    if value is None:
        return '-'
    if is_fine and abs(value) < 10:
        return f'{value:.3f}'
    return f'{value:.2f}' if abs(value) < 10 else f'{value:.1f}'
