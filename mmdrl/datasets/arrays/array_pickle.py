"""Pickles that hold arrays, numbers, text and containers, and nothing that runs.

Unpickling calls whatever the pickle names. Here a name stands for a function of ours or is refused, so a file
from a stranger cannot run anything.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.errors import DataError


def read_array_pickle(path: Path) -> dict[str, Any]:
    """The dictionary that a pickle of arrays holds, written by Python 2 or 3.

    Raises:
        DataError: If the file is missing, is no such pickle, or wants anything else.
    """
    if not path.is_file():
        raise DataError(f'There is no file {path}.')
    try:
        with path.open('rb') as file:
            content = _ArrayUnpickler(file, encoding='latin1').load()
    except Exception as error:  # a broken pickle can raise anything
        raise DataError(
            f'{path} cannot be read as a pickle of arrays and plain containers ({error}). It is truncated, or not '
            'the published file.'
        ) from error
    if not isinstance(content, dict):
        raise DataError(f'{path} must hold a dictionary, got a {type(content).__name__}.')
    return content


class _ArrayUnpickler(pickle.Unpickler):
    """Knows the few names that arrays are pickled under, and what they stand for here."""

    def find_class(self, module: str, name: str) -> Any:
        found = _NAMES.get((module.replace('numpy._core', 'numpy.core'), name))
        if found is None:
            raise pickle.UnpicklingError(f'it asks for {module}.{name}, which is refused')
        return found


def _blank(kind: Any, shape: Any, code: Any) -> NDArray:
    """An array that the pickle fills right after."""
    return np.empty(0, np.uint8)


def _numbers(content: bytes, dtype: np.dtype, shape: tuple[int, ...], order: str) -> NDArray:
    return np.frombuffer(content, dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def _number(dtype: np.dtype, content: bytes) -> np.generic:
    return np.frombuffer(content, dtype)[0]


def _bytes(text: str, encoding: str) -> bytes:
    """Bytes as Python 3 pickles them for Python 2."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'it asks for the encoding {encoding}')
    return text.encode(encoding)


_NAMES: dict[tuple[str, str], Any] = {
    ('numpy', 'ndarray'): 'ndarray',  # only ever handed to _reconstruct
    ('numpy', 'dtype'): np.dtype,
    ('numpy.core.multiarray', '_reconstruct'): _blank,
    ('numpy.core.multiarray', 'scalar'): _number,
    ('numpy.core.numeric', '_frombuffer'): _numbers,
    ('_codecs', 'encode'): _bytes,
}
