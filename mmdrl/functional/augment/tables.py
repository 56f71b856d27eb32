"""Colours changed channel by channel: a table of 256 values for each image and channel, and one gather for all of them.

The tables are those that Pillow makes, rounding included.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_RAMP = np.arange(256)


def identity_table() -> NDArray[np.uint8]:
    """Every value stays."""
    return _RAMP.astype(np.uint8)


def invert_table() -> NDArray[np.uint8]:
    """Every value becomes 255 less itself."""
    return (255 - _RAMP).astype(np.uint8)


def solarize_table(threshold: float) -> NDArray[np.uint8]:
    """Values of at least the threshold are inverted."""
    return np.where(threshold > _RAMP, _RAMP, 255 - _RAMP).astype(np.uint8)


def posterize_table(bits: int) -> NDArray[np.uint8]:
    """Values keep their upper bits, 1 to 8 of them."""
    return (_RAMP & ~(2 ** (8 - bits) - 1)).astype(np.uint8)


def brightness_table(factor: float) -> NDArray[np.uint8]:
    """Values are multiplied, cut off at 255 and rounded down."""
    return np.clip(np.float32(factor) * _RAMP.astype(np.float32), 0, 255).astype(np.uint8)


def set_stretching_tables(tables: Tensor, values: Tensor, histograms: Tensor | None, ramp: Tensor) -> None:
    """Make tables by which values become about evenly frequent, or reach from 0 to 255, in place.

    Args:
        tables: Of each channel, uint8, shape ``(n, 256)``; those stay as they are whose channels have but one value.
        values: Of each channel, uint8, shape ``(n, h * w)``.
        histograms: How often each value occurs in the first channels, shape ``(m, 256)``: those are equalized. In the
            others the lowest value becomes 0 and the highest 255. ``None``: none are equalized.
        ramp: 0 to 255, float64.
    """
    equalized = 0 if histograms is None else len(histograms)
    exact = torch.empty(tables.shape, dtype=torch.double, device=values.device)
    spread = torch.empty((len(values), 1), dtype=torch.double, device=values.device)
    highest = values.amax(1, keepdim=True)
    if histograms is not None:
        # In float64, several times as fast as whole numbers and as exact: they are far below 2**53.
        below = torch.sub(histograms.cumsum(-1), histograms, out=exact[:equalized])
        last = below.gather(-1, highest[:equalized].long())
        step = torch.div(last, 255, rounding_mode='floor', out=spread[:equalized])
        below.add_(torch.div(step, 2, rounding_mode='floor')).div_(step)
    if equalized < len(values):
        low = values[equalized:].amin(1, keepdim=True)
        span = torch.sub(highest[equalized:], low, out=spread[equalized:])
        scale = ramp[-1:] / span  # not the number 255: torch would take the reciprocal, times 255
        torch.mul(ramp, scale, out=exact[equalized:]).sub_(low * scale)
    torch.where(spread > 0, as_bytes(exact.clamp_(0, 255)), tables, out=tables)


def as_bytes(values: Tensor) -> Tensor:
    """Numbers of 0 to 255 without what follows the point, uint8."""
    # On the CPU the direct way takes four times as long, as it is not vectorised.
    return (values.to(torch.int16) if values.device.type == 'cpu' else values).to(torch.uint8)


def count_values(indices: Tensor, one: Tensor, rows: int) -> Tensor:
    """Histograms, whole numbers, shape ``(rows, 256)``, of values to each of which 256 times its row is added.

    Args:
        indices: int32, any shape.
        one: 1, int32, on the same device.
        rows: How many histograms there are.
    """
    if indices.device.type == 'cpu':  # on a GPU it would wait for the highest index
        return torch.bincount(indices.reshape(-1), minlength=rows * 256).view(rows, 256)
    counts = torch.zeros(rows * 256, dtype=torch.int32, device=indices.device)
    return counts.index_add_(0, indices.reshape(-1), one.expand(indices.numel())).view(rows, 256)
