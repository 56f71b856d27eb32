"""Tables of the representation reports that lie in the folders of the runs."""

from collections.abc import Sequence
from typing import Any

from mmdrl.engine.representation import read_reports
from mmdrl.engine.representation.file import FILE_NAME
from mmdrl.visualization.representation_rows import representation_rows
from mmdrl.visualization.representation_tables import CAPTIONS

from .groups import RunGroup
from .tables import Table


def representation_tables(groups: Sequence[RunGroup]) -> list[Table]:
    """Tables of the first run of each group that has been looked into by ``tools/analysis/representation.py --json``.

    Raises:
        DataError: If a file is there and holds something else.
    """
    reports: dict[str, dict[str, Any]] = {}
    for group in groups:
        folder = group.records[0].folder
        if (folder / FILE_NAME).is_file():
            found = read_reports(folder)
            names = [f'{group.name}, {name}' for name in found] if len(found) > 1 else [group.name]
            reports |= dict(zip(names, found.values(), strict=True))
    tables = []
    for title, rows in representation_rows(reports).items() if reports else ():
        lines = [[f'{row.name}, {row.part}', *('-' if v is None else f'{v:.3g}' for v in row.values)] for row in rows]
        if lines:
            tables.append(Table(f'{title}: {CAPTIONS[title]}', ['', *reports], lines))
    return tables
