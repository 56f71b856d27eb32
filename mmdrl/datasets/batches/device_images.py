"""The images of a data set in the memory of a device, where batches of them are taken."""

from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info

from mmdrl.errors import ConfigError

from .fetch import gather

_AT_ONCE = 4096  # images copied at a time


class DeviceImages:
    """A copy of all images on a device, made at the first use; pickled, it is made again.

    Args:
        images: The column of them.
        device: Such as ``'cuda'``, the one that the process uses.
        gives_batches: Whether the data set does, which alone come from the device.

    Raises:
        ConfigError: If it does not, or the device is none.
    """

    def __init__(self, images: Any, device: str, gives_batches: bool):
        if not gives_batches:
            raise ConfigError(
                f'images_on={device!r} takes whole batches, but the pipeline does something to every image. Let it be '
                'PackInputs alone, and augment in the data preprocessor; or leave images_on out.'
            )
        self.images = images
        self.device = checked_device(device)
        self._copy: Tensor | None = None

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Images at these rows, shape ``(B, H, W, C)``, uint8, on the device.

        Raises:
            ConfigError: In a worker process, which would have a copy of its own; without that device.
        """
        if self._copy is None:
            if get_worker_info() is not None:
                raise ConfigError(
                    f'images_on={self.device!r} takes batches in the training process, but the loader has workers. Set '
                    'num_workers=0, persistent_workers=False and pin_memory=False, or leave images_on out.'
                )
            self._copy = self._copied()
        chosen = torch.from_numpy(rows)
        return self._copy.index_select(0, chosen.to(self._copy.device, non_blocking=True))

    def __deepcopy__(self, memo: dict[int, Any]) -> 'DeviceImages':
        return self

    def __getstate__(self) -> dict[str, Any]:
        return dict(vars(self), _copy=None)

    def _copied(self) -> Tensor:
        place = torch.device(self.device)  # looked for here: a config is also read where nobody trains
        if place.type == 'cuda' and (place.index or 0) >= torch.cuda.device_count():
            raise ConfigError(
                f'images_on={self.device!r} needs that GPU, and this machine shows {torch.cuda.device_count()}. Name '
                'another, or leave images_on out.'
            )
        length = len(self.images)
        copy = torch.empty((length, *self.images[0].shape), dtype=torch.uint8, device=self.device)
        for start in range(0, length, _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, length))
            copy[start : start + len(rows)] = torch.from_numpy(gather(self.images, rows))
        MMLogger.get_current_instance().info(
            f'{length:,} images are kept on {copy.device}, in {copy.nbytes / 2**20:,.1f} MiB.'
        )
        return copy


def checked_device(device: str) -> str:
    """The name of a device as given.

    Raises:
        ConfigError: If it is none.
    """
    try:
        torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(f"images_on must name a device, such as 'cuda', got {device!r}.") from error
    return device
