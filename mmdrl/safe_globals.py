"""Lets MMEngine's own checkpoints load with ``weights_only=True``.

Since torch 2.6 that is the default, and it refuses the log history that MMEngine writes into every
checkpoint: upstream can neither resume nor test what it has saved. The safety stays on; the few harmless
names that such a history needs are declared safe instead.
"""

import pickle
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from numpy._core import multiarray

_BUFFER_METHODS = ('min', 'max', 'mean', 'current')


def _buffer_method(owner: Any, name: str) -> Any:
    """Stands in for ``getattr``, which pickles of a ``HistoryBuffer`` call for its four methods only."""
    if owner is not HistoryBuffer or name not in _BUFFER_METHODS:
        raise pickle.UnpicklingError(
            f'A checkpoint may look up {", ".join(_BUFFER_METHODS)} of HistoryBuffer only, got {name!r} of '
            f'{owner!r}. Do not load it unless you trust its origin.'
        )
    return getattr(owner, name)


def register_safe_globals() -> None:
    """Declare safe what MMEngine's log history needs; calling it again changes nothing."""
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            (_buffer_method, 'builtins.getattr'),
            np.ndarray,
            np.dtype,
            np.dtypes.Float64DType,
            np.dtypes.Float32DType,
            np.dtypes.Int64DType,
            (multiarray._reconstruct, 'numpy._core.multiarray._reconstruct'),
            (multiarray._reconstruct, 'numpy.core.multiarray._reconstruct'),
            (multiarray.scalar, 'numpy._core.multiarray.scalar'),
            (multiarray.scalar, 'numpy.core.multiarray.scalar'),
        ]
    )
