"""RandAugment."""

import numpy as np
from numpy.typing import NDArray

from mmdrl.functional.augment import (
    Canvas,
    ChannelOrder,
    Operation,
    image_uniforms,
    operate,
    operation,
    uniform_integers,
)

from .arguments import check_channels, check_choice, check_whole, for_channels, pixel_value
from .catalogues import Catalogues
from .registry import BATCH_TRANSFORMS

_NAMES = (
    'Identity',
    'ShearX',
    'ShearY',
    'TranslateX',
    'TranslateY',
    'Rotate',
    'Brightness',
    'Color',
    'Contrast',
    'Sharpness',
    'Posterize',
    'Solarize',
    'AutoContrast',
    'Equalize',
)


@BATCH_TRANSFORMS.register_module()
class BatchRandAugment:
    """Each image changed by randomly chosen operations of one magnitude, as by torchvision's on Pillow's images.

    Args:
        num_ops: Operations per image, one after the other.
        magnitude: Of all of them, below ``num_magnitude_bins``.
        num_magnitude_bins: Steps of the scale of magnitudes.
        fill: Value of pixels that rotating, shifting or shearing uncovers, 0 to 255, or one for each channel in the
            order of the images.
        channel_order: Of images of three channels; ``'bgr'`` as MMPretrain loads files.

    Raises:
        ConfigError: If a setting is out of range; when called, if images have neither one nor three channels.

    Source: Cubuk et al., "RandAugment: Practical Automated Data Augmentation with a Reduced Search Space", 2019.
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        fill: float | tuple[float, ...] = 128,
        channel_order: ChannelOrder = 'bgr',
    ):
        check_whole('BatchRandAugment', 'num_ops', num_ops, 0)
        check_whole('BatchRandAugment', 'num_magnitude_bins', num_magnitude_bins, 2)
        check_whole('BatchRandAugment', 'magnitude', magnitude, 0, num_magnitude_bins - 1)
        check_choice('BatchRandAugment', 'channel_order', channel_order, ('bgr', 'rgb'))
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins
        self.fill = pixel_value('BatchRandAugment', 'fill', fill)
        self.catalogues = Catalogues(self._operations, channel_order)

    def __call__(self, canvas: Canvas, seeds: NDArray[np.int64], stream: int) -> None:
        """Change the images of the canvas; seeds and stream as :func:`~mmdrl.functional.augment.image_uniforms`."""
        check_channels('BatchRandAugment', canvas.channels)
        fill = for_channels('BatchRandAugment', 'fill', self.fill, canvas.channels)
        catalogue, numbers = self.catalogues(canvas)
        uniforms = image_uniforms(seeds, 2 * self.num_ops, stream)
        names = uniform_integers(uniforms[:, : self.num_ops], len(_NAMES))
        is_negative = (uniforms[:, self.num_ops :] < 0.5).astype(np.int64)
        operate(canvas, numbers[0, names, is_negative], catalogue, fill)

    def _operations(self, height: int, width: int) -> list[list[list[Operation]]]:
        """One block, by name and sign."""
        scale = self.magnitude, self.num_magnitude_bins, height, width
        return [[[operation(name, *scale, negative=negative) for negative in (False, True)] for name in _NAMES]]
