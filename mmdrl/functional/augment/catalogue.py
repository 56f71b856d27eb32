"""What operations need on a device, for images of one size: computed once, then looked up by number."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import NDArray

from .affine import rotation, shear, shift, source_pixels
from .blends import ChannelOrder
from .magnitudes import Operation
from .tables import brightness_table, identity_table, invert_table, posterize_table, solarize_table
from .transfer import to_device


class Kind(IntEnum):
    """How an operation is done. Colours are in the order in which a group of images lies while they are changed."""

    NOTHING = 0
    GEOMETRY = 1
    EQUALIZE = 2
    AUTOCONTRAST = 3
    TABLE = 4
    CONTRAST = 5
    COLOR = 6
    SHARPNESS = 7


_KINDS = {
    'Identity': Kind.NOTHING,
    'Equalize': Kind.EQUALIZE,
    'AutoContrast': Kind.AUTOCONTRAST,
    'Contrast': Kind.CONTRAST,
    'Color': Kind.COLOR,
    'Sharpness': Kind.SHARPNESS,
}
_GEOMETRY = ('ShearX', 'ShearY', 'TranslateX', 'TranslateY', 'Rotate')


class Catalogue:
    """Operations by number.

    Args:
        operations: Names and magnitudes.
        height: Of the images.
        width: Of the images.
        device: Where the images are.
        channel_order: Of images of three channels.

    Attributes:
        kinds: Of each operation, shape ``(O,)``.
        rows: Which map or table is that of the operation, shape ``(O,)``.
        factors: By which ``blend`` goes, float32, shape ``(O,)``.
        maps: Source pixel of each pixel, one row for each geometric operation, int32, ``(maps, h * w + 1)``: ``h * w``
            is one that is outside, the last of each row too.
        tables: Of colours, uint8, ``(tables, 256)``; the first one leaves them as they are.
        channel_order: As given.
        ramp: 0 to 255, float64.
        levels: Likewise, float32.
        one: The number, int32.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        height: int,
        width: int,
        device: torch.device,
        channel_order: ChannelOrder = 'bgr',
    ):
        maps: list[NDArray[np.int32]] = []
        tables = [identity_table()]
        self.kinds: NDArray[np.uint8] = np.zeros(len(operations), dtype=np.uint8)  # sorted fastest
        self.rows = np.zeros(len(operations), dtype=np.int64)
        self.factors = np.array([1 + magnitude for _, magnitude in operations], dtype=np.float32)
        for number, (name, magnitude) in enumerate(operations):
            if name in _GEOMETRY:
                self.kinds[number], self.rows[number] = Kind.GEOMETRY, len(maps)
                maps.append(np.append(_source_pixels(name, magnitude, height, width), np.int32(height * width)))
            elif name in _KINDS:
                self.kinds[number] = _KINDS[name]
            else:
                self.kinds[number], self.rows[number] = Kind.TABLE, len(tables)
                tables.append(_table(name, magnitude))
        self.channel_order = channel_order
        self.maps, self.tables, self.ramp, self.levels, self.one = to_device(
            [
                np.array(maps, dtype=np.int32).reshape(-1, height * width + 1),
                np.array(tables),
                np.arange(256, dtype=np.float64),
                np.arange(256, dtype=np.float32),
                np.array(1, dtype=np.int32),
            ],
            device,
        )


def _source_pixels(name: str, magnitude: float, height: int, width: int) -> NDArray[np.int32]:
    matrix = {
        'ShearX': lambda: shear(magnitude, 0.0),
        'ShearY': lambda: shear(0.0, magnitude),
        'TranslateX': lambda: shift(int(magnitude), 0),
        'TranslateY': lambda: shift(0, int(magnitude)),
        'Rotate': lambda: rotation(magnitude, height, width),
    }[name]()
    return source_pixels(matrix, height, width)


def _table(name: str, magnitude: float) -> NDArray[np.uint8]:
    match name:
        case 'Invert':
            return invert_table()
        case 'Solarize':
            return solarize_table(255.0 * magnitude)
        case 'Posterize':
            return posterize_table(int(magnitude))
        case 'Brightness':
            return brightness_table(1.0 + magnitude)
    raise ValueError(f'Expected an operation of AutoAugment or RandAugment, got {name!r}.')
