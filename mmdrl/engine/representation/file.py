"""Reports in a file, for pages and programs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdrl.datasets.preparation import disk_errors, new_file
from mmdrl.errors import DataError

FILE_NAME = 'representation.json'


def write_reports(reports: Mapping[str, Any], path: Path) -> None:
    """Write reports by the names of their models, whole or not at all.

    Raises:
        DataError: If the disk or the rights do not allow it.
    """
    with disk_errors(f'Writing {path}'):
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as stream:
            stream.write(f'{json.dumps(reports, indent=1, allow_nan=False)}\n'.encode())


def read_reports(path: str | Path) -> dict[str, dict[str, Any]]:
    """Reports by the names of their models.

    Args:
        path: A file that :func:`write_reports` wrote, or a folder with one of the usual name.

    Raises:
        DataError: If there is none, or it holds something else.
    """
    path = Path(path) / FILE_NAME if Path(path).is_dir() else Path(path)
    if not path.is_file():
        raise DataError(f'Expected reports in {path}, found none. tools/analysis/representation.py --json writes them.')
    try:
        reports = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise DataError(f'Expected JSON in {path}, got {error}. Write it again.') from None
    parts = {'accuracy', 'classes', 'overall', 'collapse', 'per_class'}
    entries = reports.values() if isinstance(reports, dict) else [None]
    if not reports or not all(isinstance(entry, dict) and parts <= set(entry) for entry in entries):
        raise DataError(f'Expected reports by the names of models in {path}, got something else. Write it again.')
    return dict(reports)
