"""Lets MMEngine's own checkpoints load with ``weights_only=True``.

Since torch 2.6 that is the default, and it refuses the log history that MMEngine writes into every
checkpoint: upstream can neither resume nor test what it has saved. The safety stays on. The few names that such a
history needs stand for parts of ours, which make arrays of plain numbers, text and log histories, and nothing else:
NumPy's own would also make an array that takes the bytes of the file for addresses in memory.
"""

import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from numpy.typing import NDArray

_BUFFER_METHODS = ('min', 'max', 'mean', 'current')
_KINDS = re.compile(r'[<>|=]?([?]|[biufcUS][1-9]\d{0,8})')  # numbers and text; of no size, any number takes no bytes


class _Dtype:
    """Stands in for ``numpy.dtype``: what such a one is pickled as, without what else it could become."""

    def __init__(self, kind: Any, align: Any = False, copy: Any = False):
        if not isinstance(kind, str) or not _KINDS.fullmatch(kind):
            raise _refused(f'arrays of numbers and text only, got some of {kind!r:.80}')
        self.dtype = np.dtype(kind)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if any(part is not None for part in state[2:5]):
            raise _refused('arrays of numbers and text only, got some with fields')
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray):
    """An array that a pickle fills right after it has made it, and once; pickled again, it is one of NumPy.

    Filling it again would free memory that a tensor made of it in between still reads.
    """

    def __new__(cls, *_: Any) -> '_Array':
        raise _refused('arrays with their numbers only')

    def __setstate__(self, state: Any) -> None:
        if 'is_filled' in vars(self):
            raise _refused('arrays that are filled once')
        self.is_filled = True
        _, shape, kind, fortran, content = state
        super().__setstate__((1, shape, _plain(kind), bool(fortran), content))  # type: ignore[arg-type]

    def __reduce__(self) -> Any:
        return self.view(np.ndarray).__reduce__()


class _Buffer(HistoryBuffer):
    """A log history that a pickle fills; it is MMEngine's own as soon as it is found to hold numbers."""

    def __init__(self, *_: Any):
        raise _refused('log histories with their numbers only')

    def __setstate__(self, state: Any) -> None:
        numbers = [state.get(name) for name in ('_log_history', '_count_history')]
        if not all(type(one) is _Array and one.ndim == 1 and one.dtype.kind in 'fiu' for one in numbers):
            raise _refused('log histories of numbers only')
        self.__class__ = HistoryBuffer
        HistoryBuffer.__init__(self, max_length=int(state.get('max_length', 1_000_000)))  # with its four methods
        self._log_history, self._count_history = (np.array(one, subok=False) for one in numbers)


def _array(kind: Any, shape: Any, code: Any) -> _Array:
    """Stands in for NumPy's ``_reconstruct``."""
    return np.empty(0, np.uint8).view(_Array)


def _scalar(kind: Any, content: bytes) -> Any:
    """Stands in for NumPy's ``scalar``."""
    numbers: NDArray[Any] = np.frombuffer(content, _plain(kind))
    return numbers[0]


def _no_bytes() -> bytes:
    """Stands in for ``bytes``, which is called for the content of an empty array."""
    return b''


def _plain(kind: Any) -> np.dtype[Any]:
    if not isinstance(kind, _Dtype):
        raise _refused(f'arrays of numbers and text only, got some of {kind!r:.80}')
    return kind.dtype


def _buffer_method(owner: Any, name: str) -> Any:
    """Stands in for ``getattr``, which pickles of a ``HistoryBuffer`` call for its four methods only."""
    if owner is not _Buffer or name not in _BUFFER_METHODS:
        raise _refused(f'{", ".join(_BUFFER_METHODS)} of HistoryBuffer only, got {name!r:.80} of {owner!r:.80}')
    return getattr(HistoryBuffer, name)


def _refused(problem: str) -> pickle.UnpicklingError:
    return pickle.UnpicklingError(f'a checkpoint may hold {problem}')


def register_safe_globals() -> None:
    """Declare safe what MMEngine's log history needs; calling it again changes nothing."""
    names: dict[str, Callable[..., Any]] = {
        'mmengine.logging.history_buffer.HistoryBuffer': _Buffer,
        'builtins.getattr': _buffer_method,
        'builtins.bytes': _no_bytes,
        'numpy.ndarray': _Array,
        'numpy.dtype': _Dtype,
    }
    for core in ('numpy._core', 'numpy.core'):
        names |= {f'{core}.multiarray._reconstruct': _array, f'{core}.multiarray.scalar': _scalar}
    torch.serialization.add_safe_globals([(stand_in, name) for name, stand_in in names.items()])
