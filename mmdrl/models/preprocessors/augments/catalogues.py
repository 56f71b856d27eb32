"""What the operations of a step need, for the sizes and devices of images that it meets."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mmdrl.functional.augment import IDENTITY, Canvas, Catalogue, ChannelOrder, Operation

Numbered = tuple[Catalogue, NDArray[np.int64]]
_KEPT = 8  # a few MB each for images of 224 pixels


class Catalogues:
    """Catalogues of a step, each made when it is first needed; the last few are kept.

    Args:
        operations: Of height and width of the images: all operations, as blocks of rows of one length.
        channel_order: Of images of three channels.
    """

    def __init__(
        self, operations: Callable[[int, int], Sequence[Sequence[Sequence[Operation]]]], channel_order: ChannelOrder
    ):
        self.operations = operations
        self.channel_order = channel_order
        self._made: dict[tuple[int, int, torch.device], Numbered] = {}

    def __call__(self, canvas: Canvas) -> Numbered:
        """Catalogue for a canvas, and the numbers in it of all operations, in their order; 0 is to do nothing."""
        key = (*canvas.size, canvas.device)
        if key not in self._made:
            if len(self._made) == _KEPT:
                del self._made[next(iter(self._made))]
            number = {IDENTITY: 0}
            numbers = [
                [[number.setdefault(one, len(number)) for one in row] for row in block]
                for block in self.operations(*canvas.size)
            ]
            self._made[key] = Catalogue(list(number), *key, self.channel_order), np.array(numbers)
        return self._made[key]

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._made)
