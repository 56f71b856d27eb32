"""What stands in for a data set that is not there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.errors import DataError


class UnreadDataset:
    """One image of each class that cannot be looked at: samplers, counts and stages have something to be built on.

    Args:
        num_classes: K.
        pipeline: Transforms of the data set.
        is_mixing: Whether the data set mixes images.
    """

    def __init__(self, num_classes: int, pipeline: Any, is_mixing: bool = False):
        self.num_classes = num_classes
        self.pipeline = pipeline
        if is_mixing:
            self.is_mixing = True

    def get_gt_labels(self) -> NDArray[np.int64]:
        """Labels, shape ``(K,)``."""
        return np.arange(self.num_classes)

    def __len__(self) -> int:
        return self.num_classes

    def __getitem__(self, index: int) -> Any:
        raise DataError('The data set has not been read.')
