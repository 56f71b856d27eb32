"""What a finished run leaves behind for people and tools: one small JSON file."""

import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmdrl.errors import DataError

FILE_NAME = 'results.json'


def write_results(results: dict[str, Any], folder: str | Path) -> Path:
    """Write ``results.json`` whole or not at all; nan becomes null.

    Args:
        results: Numbers, strings, lists and dicts.
        folder: An existing folder.

    Returns:
        Path of the file.
    """
    path = Path(folder) / FILE_NAME
    write_json(results, path)
    return path


def write_json(values: dict[str, Any], path: Path) -> None:
    """Write a JSON file whole or not at all; nan becomes null."""
    text = json.dumps(without_nan(values), indent=1, allow_nan=False) + '\n'
    aside = path.with_name(f'{path.name}.tmp')
    aside.write_text(text)
    os.replace(aside, path)


def read_results(folder: str | Path) -> dict[str, Any]:
    """Read what :func:`write_results` wrote.

    Raises:
        DataError: If there is no such file, or it holds something else.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        raise DataError(
            f'Expected the results of a finished run in {path}, found none. Has that run reached its last epoch '
            'with mmdrl.SummaryHook, and validated?'
        )
    try:
        results = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f'Expected JSON in {path}, got {error}. Train that run again.') from None
    if not isinstance(results, dict):
        raise DataError(f'Expected a JSON object in {path}, got {results!r:.40}. Train that run again.')
    return results


def single_numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those of an evaluation's metrics that are one number: a list of classes or a confusion matrix is none."""
    found = {}
    for name, value in metrics.items():
        with suppress(TypeError, ValueError, RuntimeError):
            found[name] = float(value)
    return found


def without_nan(value: Any) -> Any:
    """The same with ``None`` in place of every number that is not finite, and arrays and tensors as lists."""
    if hasattr(value, 'tolist'):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: without_nan(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
