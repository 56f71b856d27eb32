"""Columns that worker processes share, however they were started.

A forked worker sees the parent's arrays and never writes to them. For a spawned one torch moves the memory of
a tensor into shared memory while it is sent, so the arrays are kept as tensors and read as arrays.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class SharedArray:
    """A one-dimensional NumPy array as a column of a data set.

    Args:
        values: Shape ``(N,)``, writable and contiguous; not copied.
    """

    def __init__(self, values: NDArray):
        self._tensor = torch.from_numpy(values)

    def __len__(self) -> int:
        return len(self._tensor)

    def __getitem__(self, row: Any) -> Any:
        return self._tensor.numpy()[row]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        array = self._tensor.numpy()
        return array if dtype is None and not copy else np.array(array, dtype=dtype)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self._tensor.nbytes


class PathColumn:
    """Paths as pieces of one block of bytes: ``len(column)`` of them, ``column[i]`` is a string.

    Args:
        block: UTF-8, shape ``(M,)``, uint8.
        starts: Position of the first byte of each path, shape ``(N,)``.
        lengths: Bytes of each path, shape ``(N,)``, below 32,768.
    """

    def __init__(self, block: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]):
        is_small = len(block) <= np.iinfo(np.int32).max
        self._block = SharedArray(block)
        self._starts = SharedArray(starts.astype(np.int32 if is_small else np.int64))
        self._lengths = SharedArray(lengths.astype(np.int16))

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, row: int) -> str:
        start = int(self._starts[row])
        return self._block[start : start + int(self._lengths[row])].tobytes().decode()

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Block ``(M,)``, starts and lengths ``(N,)``; the block is the column's own."""
        return np.asarray(self._block), self._starts[:].astype(np.int64), self._lengths[:].astype(np.int64)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self._block.nbytes + self._starts.nbytes + self._lengths.nbytes
