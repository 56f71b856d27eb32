"""Shears, shifts and rotations with the nearest pixel, to the pixel those of Pillow.

Pillow computes the source of a pixel in fixed-point numbers of 16 binary places, and so do these functions, once for an
operation and a size of images.
"""

import math

import numpy as np
from numpy.typing import NDArray

_ONE = 1 << 16
Matrix = tuple[float, float, float, float, float, float]  # x = a X + b Y + c, y = d X + e Y + f, from new to old


def shear(x: float, y: float) -> Matrix:
    """Rows shifted by x times their number, or columns by y times theirs, about the upper left corner."""
    return 1.0, x, 0.0, y, 1.0, 0.0


def shift(x: int, y: int) -> Matrix:
    """Images moved to the right and down by whole pixels."""
    return 1.0, 0.0, -float(x), 0.0, 1.0, -float(y)


def rotation(degrees: float, height: int, width: int) -> Matrix:
    """Images turned counterclockwise about their centre."""
    angle = -math.radians(degrees % 360.0)
    cosine, sine = round(math.cos(angle), 15), round(math.sin(angle), 15)
    x, y = width / 2, height / 2
    return cosine, sine, cosine * -x + sine * -y + x, -sine, cosine, -sine * -x + cosine * -y + y


def source_pixels(matrix: Matrix, height: int, width: int) -> NDArray[np.int32]:
    """Number of the source pixel of each pixel, row by row, int32, shape ``(height * width,)``.

    Pixels from outside have the number ``height * width``.
    """
    a, b, c, d, e, f = matrix
    column, row = np.arange(width)[None, :], np.arange(height)[:, None]
    x = (_fixed(a) * column + _fixed(b) * row + _fixed(c + a * 0.5 + b * 0.5)) >> 16
    y = (_fixed(d) * column + _fixed(e) * row + _fixed(f + d * 0.5 + e * 0.5)) >> 16
    is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.where(is_inside, y * width + x, height * width).astype(np.int32).ravel()


def _fixed(value: float) -> int:
    return math.floor(value * _ONE + 0.5)
