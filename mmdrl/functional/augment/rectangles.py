"""Rectangles of images overwritten: where they are, and the writing."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .randomness import uniform_integers
from .transfer import to_device


@dataclass(frozen=True)
class Rectangles:
    """Rows from ``tops`` up to, without, ``bottoms``, and columns likewise, each of shape ``(B,)``; none if equal."""

    tops: NDArray[np.int64]
    bottoms: NDArray[np.int64]
    lefts: NDArray[np.int64]
    rights: NDArray[np.int64]


def cutout_rectangles(uniforms: NDArray[np.float64], length: int, height: int, width: int) -> Rectangles:
    """Squares about a random pixel, of which what lies outside the image is lost.

    Args:
        uniforms: Numbers of [0, 1), shape ``(B, 2)``.
        length: Of the sides, even.
        height: Of the images.
        width: Of the images.
    """
    rows, columns = uniform_integers(uniforms[:, 0], height), uniform_integers(uniforms[:, 1], width)
    half = length // 2
    return Rectangles(rows - half, rows + half, columns - half, columns + half)


def erased_rectangles(
    uniforms: NDArray[np.float64],
    prob: float,
    area_range: tuple[float, float],
    aspect_range: tuple[float, float],
    height: int,
    width: int,
) -> Rectangles:
    """Rectangles of random area and shape, in some of the images.

    The last row and the last column are only reached by rectangles that go all across, as in MMPretrain's.

    Args:
        uniforms: Numbers of [0, 1), shape ``(B, 5)``.
        prob: Share of the images.
        area_range: Of the rectangle as a share of the image, uniform.
        aspect_range: Of height by width, uniform in its logarithm.
        height: Of the images.
        width: Of the images.
    """
    low, high = np.log(np.array(aspect_range, dtype=np.float32)).astype(np.float64)
    aspect = np.exp(low + (high - low) * uniforms[:, 1])
    area = height * width * (area_range[0] + (area_range[1] - area_range[0]) * uniforms[:, 2])
    rows = np.minimum(np.rint(np.sqrt(area * aspect)).astype(np.int64), height)
    columns = np.minimum(np.rint(np.sqrt(area / aspect)).astype(np.int64), width)
    tops = uniform_integers(uniforms[:, 3], height - rows)
    lefts = uniform_integers(uniforms[:, 4], width - columns)
    is_erased = uniforms[:, 0] < prob
    return Rectangles(tops, tops + rows * is_erased, lefts, lefts + columns)


def overwrite(planes: Tensor, rectangles: Rectangles, values: Tensor | int) -> None:
    """Write values into the rectangles of planes ``(B, C, h, w)``, in place.

    Args:
        planes: uint8.
        rectangles: One for each image.
        values: uint8, a number or a tensor that the planes' shape can be had of by broadcasting.
    """
    height, width = planes.shape[2:]
    rows, columns = (
        (np.arange(length) >= first[:, None]) & (np.arange(length) < end[:, None])
        for length, first, end in (
            (height, rectangles.tops, rectangles.bottoms),
            (width, rectangles.lefts, rectangles.rights),
        )
    )
    # Bits that stay, all or none: vectorised, which masks are not; those of eight pixels as one number, if that fits.
    word, dtype = (np.int64, torch.int64) if width % 8 == 0 else (np.uint8, torch.uint8)
    bits = np.subtract(rows, 1, dtype=word), np.subtract(columns, 1, dtype=np.uint8).view(word)
    stay_rows, stay_columns = to_device(bits, planes.device)
    stays = stay_rows[:, None, :, None] | stay_columns[:, None, None, :]
    planes.view(dtype).bitwise_and_(stays)
    if not isinstance(values, int) or values:
        planes.bitwise_or_(stays.view(torch.uint8).bitwise_not_() & values)
