"""Random Erasing, like MMPretrain's ``RandomErasing``."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmdrl.errors import ConfigError
from mmdrl.functional.augment import (
    Canvas,
    erased_rectangles,
    image_uniforms,
    image_words,
    overwrite,
    pixel_words,
    to_device,
)

from .arguments import check_choice, check_share, for_channels, numbers
from .registry import BATCH_TRANSFORMS


@BATCH_TRANSFORMS.register_module()
class BatchErasing:
    """A rectangle of random size overwritten in some of the images, as by MMPretrain's ``RandomErasing``.

    Args:
        prob: Share of the images.
        min_area_ratio: Smallest area as a share of the image.
        max_area_ratio: Largest area.
        aspect_range: Smallest and largest ratio of height to width; one number r: r and 1 / r.
        mode: ``'const'`` writes one colour, ``'rand'`` a random value into each pixel and channel. Of normal ones, see
            ``fill_std``, another device may round one in many differently.
        fill_color: 0 to 255, or one for each channel in the order of the images.
        fill_std: Standard deviation, or one for each channel, of normal random values about ``fill_color``; not given:
            they are uniform.

    Raises:
        ConfigError: If a setting is out of range.

    Source: Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
    """

    def __init__(
        self,
        prob: float = 0.5,
        min_area_ratio: float = 0.02,
        max_area_ratio: float = 0.4,
        aspect_range: float | Sequence[float] = (3 / 10, 10 / 3),
        mode: Literal['const', 'rand'] = 'const',
        fill_color: float | Sequence[float] = (128, 128, 128),
        fill_std: float | Sequence[float] | None = None,
    ):
        for name, share in (('prob', prob), ('min_area_ratio', min_area_ratio), ('max_area_ratio', max_area_ratio)):
            check_share('BatchErasing', name, share)
        check_choice('BatchErasing', 'mode', mode, ('const', 'rand'))
        if min_area_ratio > max_area_ratio:
            raise ConfigError(
                f'BatchErasing: min_area_ratio must be at most max_area_ratio, got {min_area_ratio} and '
                f'{max_area_ratio}.'
            )
        self.prob, self.area_range, self.mode = prob, (min_area_ratio, max_area_ratio), mode
        self.aspect_range = _aspect_range(aspect_range)
        self.fill_color = numbers('BatchErasing', 'fill_color', fill_color, 255)
        self.fill_std = None if fill_std is None else numbers('BatchErasing', 'fill_std', fill_std, 255)

    def __call__(self, canvas: Canvas, seeds: NDArray[np.int64], stream: int) -> None:
        """Write on the images of the canvas; seeds and stream as :func:`~mmdrl.functional.augment.image_uniforms`."""
        uniforms = image_uniforms(seeds, 5, stream)
        rectangles = erased_rectangles(uniforms, self.prob, self.area_range, self.aspect_range, *canvas.size)
        planes = canvas.planes()
        overwrite(planes, rectangles, self._values(planes, image_words(seeds, 6, stream)[:, 5].view(np.int64)))

    def _values(self, planes: Tensor, seeds: NDArray[np.int64]) -> Tensor:
        """What is written, of the planes' shape or ``(C, 1, 1)``."""
        colour = self._by_channel('fill_color', self.fill_color, planes)
        if self.mode == 'const':
            return colour.to(torch.uint8)
        (words,) = to_device([seeds], planes.device)
        values = planes[0].numel()
        first = _noise(words, values, 0).view(planes.shape)
        if self.fill_std is None:
            return (first * 256).to(torch.uint8)
        normal = (-2 * torch.log1p(-first)).sqrt_() * (
            _noise(words, values, 1).view(planes.shape) * (2 * math.pi)
        ).cos_()
        deviation = self._by_channel('fill_std', self.fill_std, planes)
        return (colour + deviation * normal).clamp_(0, 255).to(torch.uint8)

    @staticmethod
    def _by_channel(name: str, values: tuple[float, ...], planes: Tensor) -> Tensor:
        """The values as ``(C, 1, 1)`` or ``(1, 1, 1)``, float32."""
        fitting = for_channels('BatchErasing', name, values, planes.shape[1])
        return to_device([np.array(fitting, dtype=np.float32)], planes.device)[0].view(-1, 1, 1)


def _noise(seeds: Tensor, count: int, stream: int) -> Tensor:
    """Uniform numbers of [0, 1), float32, shape ``(B, count)``."""
    return ((pixel_words(seeds, count, stream) >> 40) & (2**24 - 1)).float().mul_(2.0**-24)


def _aspect_range(value: Any) -> tuple[float, float]:
    if isinstance(value, (int, float)) and value > 0:
        value = min(value, 1 / value), max(value, 1 / value)
    is_pair = isinstance(value, (list, tuple)) and len(value) == 2
    if not is_pair or not all(isinstance(one, (int, float)) for one in value) or not 0 < value[0] <= value[1]:
        raise ConfigError(
            f'BatchErasing: aspect_range must be a number above 0 or the lower and the upper bound, got {value!r}.'
        )
    return float(value[0]), float(value[1])
