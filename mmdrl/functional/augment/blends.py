"""Images blended with a background made of themselves: contrast, saturation and sharpness, as by Pillow's ImageEnhance.

Planes are ``(n, C, h, w)``. All is float32, in which the sums here are exact; what is not is rounded as by Pillow.
"""

from typing import Literal

import torch
from torch import Tensor

from .tables import as_bytes

ChannelOrder = Literal['bgr', 'rgb']
LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)  # of red, green and blue (ITU-R 601), exact in binary


def grey(planes: Tensor, channel_order: ChannelOrder) -> Tensor:
    """Luminance, whole numbers as float32, shape ``(n, 1, h, w)``, of float32 planes; of a single one it is the plane.

    Args:
        planes: Whole numbers of 0 to 255.
        channel_order: Of three channels.
    """
    if planes.shape[1] == 1:
        return planes
    first, second, third = LUMA if channel_order == 'rgb' else LUMA[::-1]
    luminance = (planes[:, :1] * first).add_(planes[:, 1:2], alpha=second).add_(planes[:, 2:], alpha=third)
    return luminance.add_(0.5).floor_()


def mean_grey(luminance: Tensor) -> Tensor:
    """Rounded mean of the luminance of each image, float32, shape ``(n, 1, 1, 1)``."""
    pixels = luminance[0].numel()
    # Sums and their halves are exact in either type.
    total = luminance.sum((-2, -1), keepdim=True, dtype=torch.float32 if pixels < 2**15 else torch.float64)
    return torch.div(total.add_(pixels / 2), pixels, rounding_mode='floor').float()


def set_smoothed(background: Tensor, planes: Tensor) -> None:
    """Fill a background with means over 3x3 pixels, the middle one counting five times; borders stay as they are."""
    background.copy_(planes)
    rows = planes[..., :-2, :] + planes[..., 1:-1, :]
    rows += planes[..., 2:, :]
    total = rows[..., :-2] + rows[..., 1:-1]
    total += rows[..., 2:]
    total.add_(planes[..., 1:-1, 1:-1], alpha=4)
    # The 13th part of a whole number is never near a half: no error of the product can turn the rounding.
    torch.floor(total.add_(6.5).mul_(1 / 13), out=background[..., 1:-1, 1:-1])


def blend(background: Tensor, planes: Tensor, factors: Tensor) -> Tensor:
    """Background plus factor times what the planes have beyond it, cut off at 0 and 255, rounded down, uint8.

    Args:
        background: Whole numbers, float32, of a shape that fits that of the planes.
        planes: float32.
        factors: float32, 0: background, 1: planes, above: away from the background.
    """
    # Multiplied, then added, each rounded: a fused addcmul would round once.
    return as_bytes((planes - background).mul_(factors).add_(background).clamp_(0, 255))
