"""What a finished run leaves behind for people and tools: one small JSON file."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from mmdrl.datasets.preparation import disk_errors, new_file
from mmdrl.errors import DataError
from mmdrl.stats.groups import Edges

FILE_NAME = 'results.json'
_AGAIN = 'Train that run again.'
_OBJECTS = ('metrics', 'stages', 'per_class', 'shot_groups', 'versions')
_LISTS = ('class_counts', 'log_folders', 'devices')
_TEXTS = ('run', 'config', 'checkpoint', 'classifier', 'command')


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
    """Write a JSON file whole or not at all; nan becomes null.

    Raises:
        DataError: If the disk or the rights do not allow it.
    """
    text = json.dumps(without_nan(values), indent=1, allow_nan=False) + '\n'
    with disk_errors(f'Writing {path}', path.parent), new_file(path) as stream:
        stream.write(text.encode())


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
    except (ValueError, RecursionError) as error:
        raise DataError(f'Expected JSON in {path}, got {error}. {_AGAIN}') from None
    if not isinstance(results, dict):
        raise DataError(f'Expected a JSON object in {path}, got {results!r:.40}. {_AGAIN}')
    _check(results, path)
    return results


def _check(results: dict[str, Any], path: Path) -> None:
    """Raise DataError unless what others compute with is of its kind; what is not there is not missed."""
    for keys, kind, words in ((_OBJECTS, dict, 'an object'), (_LISTS, list, 'a list'), (_TEXTS, str, 'text')):
        for key in keys:
            if not isinstance(results.get(key), (kind, type(None))):
                raise DataError(f'Expected {words} as {key} in {path}, got {results[key]!r:.40}. {_AGAIN}')
    numbers = [('train_seconds', results.get('train_seconds'))]
    for measures in (results.get('metrics') or {}, *(results.get('stages') or {}).values()):
        if not isinstance(measures, dict):
            raise DataError(f'Expected an object for each of the stages in {path}, got {measures!r:.40}. {_AGAIN}')
        numbers += measures.items()
    groups = results.get('shot_groups') or {}
    numbers += [(f'{name} of shot_groups', groups.get(name)) for name in ('many', 'few')]
    for name, values in (results.get('per_class') or {}).items():
        if not isinstance(values, list):
            raise DataError(f'Expected a list as {name} of per_class in {path}, got {values!r:.40}. {_AGAIN}')
        numbers += [(f'{name} of per_class', value) for value in values]
    for name, value in numbers:
        if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
            raise DataError(f'Expected a number as {name} in {path}, got {value!r:.40}. {_AGAIN}')
    for value in results.get('class_counts') or ():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise DataError(f'Expected numbers of images as class_counts in {path}, got {value!r:.40}. {_AGAIN}')
    kinds = get_args(Edges)
    if (edges := groups.get('edges', kinds[0])) not in kinds:
        raise DataError(f'Expected {" or ".join(kinds)} as edges of shot_groups in {path}, got {edges!r:.40}. {_AGAIN}')


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
