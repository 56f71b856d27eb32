"""Pixels taken from where a map says."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .placement import Pixel
from .transfer import to_device


def gather_by_map(images: Tensor, pixel_map: Tensor, fills: Sequence[Pixel]) -> Tensor:
    """Pixels by channel, ``(B, C, P)``, of images ``(B, H, W, C)``.

    Args:
        images: uint8.
        pixel_map: Number of the pixel to take, int32, shape ``(B, P)``: of all images, row by row, then of the fills.
        fills: Other pixels.
    """
    channels = images.shape[-1]
    extra = np.empty((len(fills), channels), dtype=np.uint8)
    for pixel, fill in zip(extra, fills, strict=True):
        pixel[:] = fill
    first = np.arange(channels, dtype=np.int32)[:, None]
    extra_pixels, first_bytes = to_device([extra, first], images.device)
    source = torch.cat([images.reshape(-1), extra_pixels.view(-1)])
    places = torch.add(first_bytes, pixel_map[:, None], alpha=channels)
    return source.index_select(0, places.view(-1)).view(places.shape)


def gather_within(planes: Tensor, sources: Tensor, numbers: Tensor, fill: Tensor) -> Tensor:
    """Planes ``(n, C, h, w)`` with each pixel from another of its own image.

    Args:
        planes: uint8.
        sources: Number of the pixel to take, int32, shape ``(n, h * w + 1)``; ``h * w``: the fill; the last is ignored.
        numbers: 0, 1, ... as a column of ``n * C``, int32.
        fill: A value for each channel, uint8, shape ``(C,)``.
    """
    images, channels = planes.shape[:2]
    filled = torch.cat([planes.flatten(2), fill[:, None].expand(images, channels, 1)], dim=2)
    places = torch.add(sources[:, None, :-1], numbers.view(images, channels, 1), alpha=sources.shape[1])
    return filled.view(-1).index_select(0, places.view(-1)).view(planes.shape)


def put_images(planes: Tensor, images: Tensor, group: Tensor) -> None:
    """Put images in the places of others, in place.

    Args:
        planes: uint8, shape ``(B, C, h, w)``, contiguous.
        images: Places in the batch, int64, shape ``(n,)``.
        group: uint8, shape ``(n, C, h, w)``, contiguous.
    """
    # On the CPU torch copies number by number, so let eight bytes be one, if they come out even.
    wide = torch.int64 if planes[0].numel() % 8 == 0 else torch.uint8
    planes.flatten(1).view(wide).index_copy_(0, images, group.flatten(1).view(wide))
