"""Cutout as published: a square around a random pixel, of which what lies outside the image is lost.

MMCV's ``cutout``, which MMPretrain's transform calls, moves the square inwards at the upper and the left edge and cuts
it at the other two: 22 % of a 32x32 image go instead of 19 %, and more of the upper left than of the lower right.
"""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmdrl.errors import ConfigError
from mmdrl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SquareCutout(BaseTransform):
    """Image with one square overwritten; the array given is not written to. Random numbers are NumPy's global ones.

    Rows ``y - length // 2`` up to, without, ``y + length // 2`` are overwritten, so far as there are any, and columns
    likewise, with y and x uniform over the pixels.

    Args:
        length: Side of the square in pixels, even, at least 2: 16 for CIFAR-10 in the paper.
        fill: What is written there. 0 is black, as the paper's code has it; the mean pixel is 0 only once the image
            is normalised.

    Raises:
        ConfigError: If the length is no such number.

    Source: DeVries & Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017, and the
    authors' code.
    """

    def __init__(self, length: int, fill: float = 0):
        if type(length) is not int or length < 2 or length % 2:
            raise ConfigError(f'SquareCutout: length must be an even whole number above 0, got {length!r}.')
        self.length = length
        self.fill = fill

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """The sample with a square of its ``img`` overwritten."""
        image: np.ndarray = results['img'].copy()
        rows, columns = (self._span(size) for size in image.shape[:2])
        image[rows, columns] = self.fill
        return {**results, 'img': image}

    def _span(self, size: int) -> slice:
        centre = np.random.randint(size)
        return slice(max(0, centre - self.length // 2), centre + self.length // 2)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(length={self.length}, fill={self.fill})'
