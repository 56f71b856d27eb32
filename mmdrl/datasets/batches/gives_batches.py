"""How a data set tells torch that it gives whole batches, when it does.

torch asks a data set that has ``__getitems__`` for all positions of a batch at once, and any other for one at a time.
"""

from collections.abc import Callable, Sequence, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .image_batch import ImageBatch


class GivesBatches(Sized):
    """Mixin of a data set that can give whole batches."""

    def gives_batches(self) -> bool:
        """Whether it does, which the pipeline decides."""
        raise NotImplementedError

    def whole_batch(self, positions: NDArray[np.int64], seeds: NDArray[np.int64] | None = None) -> ImageBatch:
        """Samples at these positions from 0, with the seeds of their random numbers."""
        raise NotImplementedError

    @property
    def __getitems__(self) -> Callable[[Sequence[int]], ImageBatch] | None:
        """Gives the samples at positions as a batch; None, as if it were not there, if images must come one by one."""
        return self._fetched if self.gives_batches() else None

    def _fetched(self, positions: Sequence[int]) -> ImageBatch:
        return self.whole_batch(_positions_in(positions, len(self)), _seeds_of(positions))


def _positions_in(positions: Sequence[Any], length: int) -> NDArray[np.int64]:
    """Positions from 0 on, shape ``(B,)``; those below 0 count from the end.

    Raises:
        IndexError: If one is outside of the data.
    """
    # A slice, as iterating over the positions of a training batch seeds generators for each of them.
    found = np.asarray(positions[:] if isinstance(positions, list) else list(positions), dtype=np.int64)
    if len(found) and not (-length <= found.min() and found.max() < length):
        raise IndexError(f'Expected positions in a data set of {length} images, got {found.min()} to {found.max()}.')
    return np.where(found < 0, found + length, found)


def _seeds_of(positions: Any) -> NDArray[np.int64] | None:
    """Seed of each image, shape ``(B,)``; None if the positions bring none."""
    return positions.image_seeds() if hasattr(positions, 'image_seeds') else None


def keeps_ways_of(dataset: Any, base: type, ways: Sequence[str]) -> bool:
    """Whether a data set gives samples as its base class does, and not in a way of its own."""
    kind = type(dataset)
    return not any(way in vars(dataset) or getattr(kind, way, None) is not getattr(base, way, None) for way in ways)
