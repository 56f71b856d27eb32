"""Arrays of the host as tensors of a device, by one copy that nobody waits for."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_ALIGNMENT = 16  # bytes


def to_device(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Tensors of the arrays' values; on the CPU they share the arrays' memory."""
    if device.type == 'cpu':
        return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    return unpack(pack(arrays, pin=device.type == 'cuda').to(device, non_blocking=True), arrays)


def pack(arrays: Sequence[NDArray[Any]], pin: bool) -> Tensor:
    """The bytes of all arrays, in memory from which a GPU copies by itself if ``pin``."""
    packed = torch.empty(max(place.stop for place in _places(arrays)), dtype=torch.uint8, pin_memory=pin)
    for array, place in zip(arrays, _places(arrays), strict=True):
        packed.numpy()[place] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return packed


def unpack(packed: Tensor, arrays: Sequence[NDArray[Any]]) -> list[Tensor]:
    """Tensors of the types and shapes of the arrays, out of what :func:`pack` made of them."""
    return [
        packed[place].view(getattr(torch, array.dtype.name)).view(array.shape)
        for array, place in zip(arrays, _places(arrays), strict=True)
    ]


def _places(arrays: Sequence[NDArray[Any]]) -> Iterator[slice]:
    begin = 0
    for array in arrays:
        yield slice(begin, begin + array.nbytes)
        begin += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
