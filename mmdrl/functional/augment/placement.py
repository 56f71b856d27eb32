"""Crops, shifts and flips of whole images: which row and which column of the source each of the result comes from.

These are a few numbers per image, made and composed on the host, whatever the number of pixels. A pixel that comes from
outside gets the fill of the step in which it did.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .transfer import to_device

_FAR = 2**30 - 1  # above the number of any pixel
Pixel = tuple[int, ...]  # a value for each channel, or one for all of them


@dataclass(frozen=True)
class Placement:
    """Where the pixels of a batch come from, by row and by column.

    Attributes:
        rows: Source row of each row, shape ``(B, h)``; -1 - k where it is outside and gets fill number k.
        columns: Likewise, shape ``(B, w)``. Where both are outside the higher number holds.
        fills: The fills.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    fills: tuple[Pixel, ...] = ()

    def then(self, later: 'Placement') -> 'Placement':
        """Both, one after the other."""
        pairs = ((self.rows, later.rows), (self.columns, later.columns))
        if not later.fills:
            rows, columns = (_taken(before, after) for before, after in pairs)
        else:
            past = len(self.fills)
            rows, columns = (
                np.where(after < 0, after - past, _taken(before, np.maximum(after, 0))) for before, after in pairs
            )
        return Placement(rows, columns, self.fills + later.fills)

    def pixel_map(self, height: int, width: int, device: torch.device, out: Tensor | None = None) -> Tensor:
        """Number of the source pixel of each pixel, shape ``(B, h, w)``, int32.

        Args:
            height: Of the source images, whose pixels are numbered image by image, row by row; then come the fills.
            width: Of the source images.
            device: Where the numbers are wanted.
            out: Where to write them; new memory if not given.
        """
        pixels = len(self.rows) * height * width
        first_rows = np.arange(0, pixels, height * width)[:, None]
        numbers = (self.rows * width + first_rows, self.columns)
        if len(self.fills) < 2 and pixels < _FAR:
            # A sum with one number that is far too high is too high, and one with two still fits into 32 bits.
            codes = [np.where(places < 0, _FAR, number) for places, number in zip(self._sides, numbers, strict=True)]
            rows, columns = to_device([a.astype(np.int32) for a in codes], device)
            return torch.add(rows[:, :, None], columns[:, None, :], out=out).clamp_(max=pixels)
        inside = [np.where(places < 0, 0, number) for places, number in zip(self._sides, numbers, strict=True)]
        outside = [np.where(places < 0, pixels - 1 - places, 0) for places in self._sides]
        rows, columns, rows_out, columns_out = to_device([a.astype(np.int32) for a in (*inside, *outside)], device)
        # The number of a fill is above that of any pixel, and that of a later fill above an earlier one's.
        fills = torch.maximum(rows_out[:, :, None], columns_out[:, None, :])
        sums = torch.add(rows[:, :, None], columns[:, None, :], out=out)
        return torch.maximum(sums, fills, out=sums)

    @property
    def _sides(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.rows, self.columns


def _within(places: NDArray[np.int64], stop: int) -> NDArray[np.int64]:
    """Those of 0 up to, without, ``stop``; -1 for others."""
    return np.where(places.view(np.uint64) < stop, places, -1)  # without a sign, what is below 0 is very high


def _taken(before: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each row the numbers in some places, as ``np.take_along_axis`` does it in several times as long."""
    firsts = np.arange(0, before.size, before.shape[1])[:, None]
    return np.take(before, places + firsts)


def crop(
    tops: NDArray[np.int64], lefts: NDArray[np.int64], source: tuple[int, int], size: tuple[int, int], fill: Pixel
) -> Placement:
    """A window out of each image.

    Args:
        tops: First row of the window, shape ``(B,)``; it may begin or end outside.
        lefts: First column, shape ``(B,)``.
        source: Height and width of the images.
        size: Height and width of the windows.
        fill: Of pixels outside.
    """
    rows, columns = (first[:, None] + np.arange(length) for first, length in zip((tops, lefts), size, strict=True))
    return Placement(
        _within(rows, source[0]),
        _within(columns, source[1]),
        (fill,),
    )


def flip(turns_rows: NDArray[np.bool_], turns_columns: NDArray[np.bool_], source: tuple[int, int]) -> Placement:
    """Images whose rows (``(B,)``, true: upside down) and columns are in reverse, or not."""
    rows, columns = (
        np.where(turns[:, None], np.arange(length)[::-1], np.arange(length))
        for turns, length in zip((turns_rows, turns_columns), source, strict=True)
    )
    return Placement(rows, columns)
