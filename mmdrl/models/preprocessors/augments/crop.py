"""Random crops of padded images."""

import numpy as np
from numpy.typing import NDArray

from mmdrl.functional.augment import Canvas, crop, image_uniforms, uniform_integers

from .arguments import check_whole, for_channels, pixel_value
from .registry import BATCH_TRANSFORMS


@BATCH_TRANSFORMS.register_module()
class BatchCrop:
    """Windows of one size at a random place of each image, as by MMPretrain's ``RandomCrop``.

    Args:
        size: Height and width of the window, or one number for both. Of a padded image that is smaller all is taken.
        padding: Pixels added to each side; two numbers: to left and right, and to top and bottom; four: to left, top,
            right and bottom.
        pad_value: Value of those, 0 to 255, or one for each channel in the order of the images. (For MMPretrain's a
            single number is the value of the first channel alone, as OpenCV takes it.)

    Raises:
        ConfigError: If a setting is out of range.
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        padding: int | tuple[int, ...] | None = None,
        pad_value: float | tuple[float, ...] = 0,
    ):
        sizes = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
        paddings = tuple(padding) if isinstance(padding, (list, tuple)) else (padding or 0,)
        if len(sizes) != 2:
            check_whole('BatchCrop', 'size', size, 1)
        if len(paddings) not in (1, 2, 4):
            check_whole('BatchCrop', 'padding', padding, 0)
        for value in sizes:
            check_whole('BatchCrop', 'size', value, 1)
        for value in paddings:
            check_whole('BatchCrop', 'padding', value, 0)
        self.size = sizes
        self.left, self.top, self.right, self.bottom = paddings * (4 // len(paddings))
        self.pad_value = pixel_value('BatchCrop', 'pad_value', pad_value)

    def __call__(self, canvas: Canvas, seeds: NDArray[np.int64], stream: int) -> None:
        """Crop the images of the canvas; seeds and stream as :func:`~mmdrl.functional.augment.image_uniforms`."""
        height, width = canvas.size
        rows, columns = height + self.top + self.bottom, width + self.left + self.right
        size = min(self.size[0], rows), min(self.size[1], columns)
        uniforms = image_uniforms(seeds, 2, stream)
        tops = uniform_integers(uniforms[:, 0], rows - size[0] + 1) - self.top
        lefts = uniform_integers(uniforms[:, 1], columns - size[1] + 1) - self.left
        value = for_channels('BatchCrop', 'pad_value', self.pad_value, canvas.channels)
        canvas.place(crop(tops, lefts, (height, width), size, value))
