"""Arrays of RGB images, handed out in the order in which MMPretrain loads files.

A pipeline of MMPretrain sees BGR, and ``to_rgb=True`` of the preprocessor turns it round on the device. A data set that
follows leaves one way from pixels to the model, whether they come from an array or, in MMPretrain's inferencer, a file.
"""

from typing import Literal, get_args

import numpy as np
from mmcv.image import rgb2bgr
from numpy.typing import NDArray

from mmdrl.datasets.batches.fetch import gather
from mmdrl.datasets.columns import Column
from mmdrl.errors import ConfigError

ChannelOrder = Literal['bgr', 'rgb']


class ReversedChannels:
    """Images whose three channels are reversed when one is taken.

    Args:
        images: Of shape ``(N, H, W, C)``.
    """

    def __init__(self, images: Column):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        """One image; what has not three channels stays as it is."""
        image: NDArray[np.uint8] = self.images[row]
        return np.ascontiguousarray(image[..., ::-1]) if image.shape[-1] == 3 else image

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Images at these rows, shape ``(B, H, W, C)``, the caller's own."""
        images = gather(self.images, rows)
        if images.shape[-1] != 3 or not images.size:
            return images
        # OpenCV turns pixels round eight times as fast as NumPy, as one tall image.
        turned: NDArray[np.uint8] = rgb2bgr(images.reshape(-1, *images.shape[2:]))
        return turned.reshape(images.shape)


def checked_order(order: ChannelOrder) -> ChannelOrder:
    """The order as given.

    Raises:
        ConfigError: If there is no such order.
    """
    if order not in get_args(ChannelOrder):
        raise ConfigError(f"channel_order must be 'bgr' or 'rgb', got {order!r}.")
    return order


def in_order(images: Column, order: ChannelOrder) -> Column:
    """Images that are RGB, in this order."""
    return ReversedChannels(images) if order == 'bgr' else images
