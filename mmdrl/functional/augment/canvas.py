"""A batch of images on which the steps of an augmentation work, one after the other.

Geometry is only written down, as the source of each pixel, until a step needs the pixels: then one gather makes them.
They lie there by channel, ``(B, C, h, w)``, so that what is done to a channel runs over neighbouring bytes.
"""

import torch
from torch import Tensor

from .gather import gather_by_map
from .placement import Pixel, Placement


class Canvas:
    """Images and what is to be done with their pixels.

    Args:
        images: Shape ``(B, H, W, C)``, uint8; they are not written to.

    Raises:
        ValueError: If they are more than 32 bits can number.
    """

    def __init__(self, images: Tensor):
        if images.numel() >= 2**31 - 2**20:  # some room for fills
            raise ValueError(f'A batch of {images.numel()} values is too large to augment. Take smaller batches.')
        self._images: Tensor | None = images
        self._planes: Tensor | None = None
        self._source = self._size = (int(images.shape[1]), int(images.shape[2]))
        self._placement: Placement | None = None
        self._map: Tensor | None = None
        self._fills: tuple[Pixel, ...] = ()
        self.batch_size, self.channels = len(images), int(images.shape[3])
        self.device = images.device

    @property
    def size(self) -> tuple[int, int]:
        """Height and width as they are after the last step."""
        return self._size

    def place(self, placement: Placement) -> None:
        """Crop, shift or flip all images."""
        if self._map is not None:
            self.planes()
        self._placement = placement if self._placement is None else self._placement.then(placement)
        self._size = placement.rows.shape[1], placement.columns.shape[1]

    def pixel_map(self, fill: Pixel) -> Tensor:
        """The source of each pixel, int32, shape ``(B, h * w + 1)``, to be changed in place; the last one is the fill.

        Args:
            fill: Pixel that those get which come from outside.
        """
        if self._map is not None:
            self.planes()
        pixels = self._source[0] * self._source[1] * self.batch_size
        height, width = self._size
        shape = self.batch_size, height * width + 1
        if self._placement is not None:
            self._map = torch.empty(shape, dtype=torch.int32, device=self.device)
            out = self._map.as_strided((self.batch_size, height, width), (shape[1], width, 1))
            self._placement.pixel_map(*self._source, self.device, out)
            self._fills, self._placement = self._placement.fills, None
        else:
            numbers = torch.arange(pixels, dtype=torch.int32, device=self.device)
            self._map = torch.nn.functional.pad(numbers.view(self.batch_size, -1), (0, 1))
        self._map[:, -1] = pixels + len(self._fills)
        self._fills = (*self._fills, fill)
        return self._map

    def planes(self) -> Tensor:
        """Pixels after all steps so far, shape ``(B, C, h, w)``, uint8; to be changed in place."""
        if self._placement is not None or self._map is not None:
            if self._images is None:
                assert self._planes is not None
                self._images = self._planes.permute(0, 2, 3, 1)
            if self._placement is not None:
                pixel_map = self._placement.pixel_map(*self._source, self.device).flatten(1)
                fills = self._placement.fills
            else:
                assert self._map is not None
                pixel_map, fills = self._map[:, :-1], self._fills
            planes = gather_by_map(self._images, pixel_map, fills)
            self._planes = planes.view(self.batch_size, self.channels, *self._size)
        elif self._images is not None:
            self._planes = self._images.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
        assert self._planes is not None
        self._source = self._size
        self._images = self._placement = self._map = None
        self._fills = ()
        return self._planes
