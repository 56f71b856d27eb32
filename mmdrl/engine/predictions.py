"""What a run has predicted for every validation image, kept for figures and for other measures than those it took.

One compressed NumPy file, ``predictions.npz``, with plain arrays only: 50,000 images take less than 1 MB.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.preparation import disk_errors, new_file
from mmdrl.errors import DataError

PREDICTIONS = 'predictions.npz'

_KINDS = {'label': 'i', 'linear': 'i', 'ncm': 'i', 'confidence': 'f', 'brier': 'f'}  # dtype.kind
_LARGEST = 1 << 30  # bytes: 30 million images
_AGAIN = 'Train or validate that run again.'


def last_predictions(metrics: Iterable[Any]) -> dict[str, NDArray[Any]]:
    """Arrays of shape ``(N,)`` by name, of all metrics that have judged the same images; empty if none keeps any.

    Args:
        metrics: Of an evaluator that has just evaluated, on the main process. Of those that keep ``per_sample`` the
            first says which images are meant; one that saw other labels is left out.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for metric in metrics:
        found = getattr(metric, 'per_sample', None) or {}
        if not arrays or np.array_equal(arrays['label'], found.get('label', ())):
            arrays = {**found, **arrays}
    return arrays


def keep_predictions(metrics: Iterable[Any], folder: Path) -> list[Path]:
    """The file with what metrics have just judged, written into a folder; if they kept nothing, none stays there.

    Args:
        metrics: As for :func:`last_predictions`.
        folder: Work folder of the run.

    Raises:
        DataError: If the folder cannot be written to.
    """
    arrays = last_predictions(metrics)
    if arrays:
        return [write_predictions(arrays, folder)]
    with disk_errors(f'Removing {folder / PREDICTIONS}'):
        (folder / PREDICTIONS).unlink(missing_ok=True)
    return []


def write_predictions(predictions: Mapping[str, NDArray[Any]], folder: str | Path) -> Path:
    """Write ``predictions.npz`` whole or not at all.

    Args:
        predictions: Arrays of shape ``(N,)``: ``label``, and some of ``linear``, ``ncm``, ``confidence``, ``brier``.
        folder: An existing folder.

    Returns:
        Path of the file.

    Raises:
        DataError: If the arrays do not fit, or the folder cannot be written to.
    """
    path = Path(folder) / PREDICTIONS
    _check(predictions, 'The predictions to write', 'Give those of one evaluation.')
    arrays: dict[str, Any] = dict(predictions)
    with disk_errors(f'Writing {path}', path.parent), new_file(path) as stream:
        np.savez_compressed(stream, **arrays)
    return path


def read_predictions(folder: str | Path) -> dict[str, NDArray[Any]]:
    """Read what :func:`write_predictions` wrote.

    Args:
        folder: Work folder of a run, or the file itself.

    Raises:
        DataError: If there is no such file, or it holds something else; Python objects are not loaded.
    """
    path = Path(folder)
    path = path / PREDICTIONS if path.is_dir() else path
    if not path.is_file():
        raise DataError(
            f'Expected the predictions of a run in {path}, found none. Has it validated with a metric of mmdrl, and '
            'ended with mmdrl.SummaryHook?'
        )
    try:
        with ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _LARGEST:
            raise ValueError(f'it would unpack to {size:,} bytes, more than {_LARGEST:,}')
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: np.asarray(arrays[name]) for name in arrays.files}
    except Exception as error:  # bytes that are no archive can fail in any way
        raise DataError(f'Expected arrays of numbers in {path}, which cannot be read: {error}. {_AGAIN}') from error
    _check(found, str(path), _AGAIN)
    return found


def _check(arrays: Mapping[str, NDArray[Any]], where: str, remedy: str) -> None:
    if 'label' not in arrays or not set(arrays) <= set(_KINDS):
        raise DataError(
            f"{where} must hold 'label' and some of {', '.join(list(_KINDS)[1:])}, "
            f'got {", ".join(arrays) or "nothing"}. {remedy}'
        )
    size = np.shape(arrays['label'])
    for name, values in arrays.items():
        if values.ndim != 1 or values.shape != size or values.dtype.kind != _KINDS[name]:
            kind = 'whole numbers' if _KINDS[name] == 'i' else 'floating-point numbers'
            raise DataError(
                f'{where}: {name} must be {kind} of shape (N,) as label is, got {values.dtype} of shape '
                f'{values.shape}. {remedy}'
            )
