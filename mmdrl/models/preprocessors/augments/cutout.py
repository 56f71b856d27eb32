"""Cutout as published, like :class:`mmdrl.datasets.SquareCutout`."""

import numpy as np
from numpy.typing import NDArray

from mmdrl.functional.augment import Canvas, cutout_rectangles, image_uniforms, overwrite

from .arguments import check_even, check_whole
from .registry import BATCH_TRANSFORMS


@BATCH_TRANSFORMS.register_module()
class BatchCutout:
    """A square of each image overwritten, around a random pixel; what lies outside the image is lost.

    Args:
        length: Side of the square in pixels, even, at least 2: 16 for CIFAR-10 in the paper.
        fill: What is written there, 0 to 255. 0 is black, as the paper's code has it.

    Raises:
        ConfigError: If a setting is out of range.

    Source: DeVries & Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017, and the
    authors' code.
    """

    def __init__(self, length: int, fill: int = 0):
        check_even('BatchCutout', 'length', length)
        check_whole('BatchCutout', 'fill', fill, 0, 255)
        self.length, self.fill = length, fill

    def __call__(self, canvas: Canvas, seeds: NDArray[np.int64], stream: int) -> None:
        """Write on the images of the canvas; seeds and stream as :func:`~mmdrl.functional.augment.image_uniforms`."""
        uniforms = image_uniforms(seeds, 2, stream)
        overwrite(canvas.planes(), cutout_rectangles(uniforms, self.length, *canvas.size), self.fill)
