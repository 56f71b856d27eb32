"""The order in which groups of images take their operations.

Every image has a list of its own. Geometry is done for as long as any image is about to have some, so that the pixels
have to be made but once before the first change of colours; then all that are about to change colours do so at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .catalogue import Kind

# As plain numbers: NumPy compares with members of an enumeration ten times as slowly.
_NOTHING, _GEOMETRY, _COLOR = int(Kind.NOTHING), int(Kind.GEOMETRY), int(Kind.COLOR)


@dataclass(frozen=True)
class Round:
    """One operation for each image of a group.

    Attributes:
        images: Their places in the batch, sorted by the kind of operation.
        operations: Their numbers.
        kinds: How many there are of each kind.
    """

    images: NDArray[np.int64]
    operations: NDArray[np.int64]
    kinds: NDArray[np.int64]

    @property
    def is_geometry(self) -> bool:
        """Whether pixels move; else colours change."""
        return bool(self.kinds[Kind.GEOMETRY])


def schedule(operations: NDArray[np.int64], kinds: NDArray[np.uint8], *, fills_with_grey: bool) -> list[Round]:
    """Rounds by which every image gets its operations in their order.

    Args:
        operations: Their numbers, by image, shape ``(B, S)``.
        kinds: Of each number.
        fills_with_grey: Whether what geometry uncovers is grey. Saturation leaves grey as it is, so that geometry that
            follows it can as well go first.
    """
    rounds: list[Round] = []
    operations = operations.copy()
    what = kinds[operations]
    for end in range(operations.shape[1] - 1, 0, -1):
        for place in range(end):
            first, second = what[:, place], what[:, place + 1]
            is_later = first == _NOTHING
            if fills_with_grey:
                is_later |= (first == _COLOR) & (second == _GEOMETRY)
            turned = np.flatnonzero(is_later)[:, None], np.array([place, place + 1])
            what[turned], operations[turned] = what[turned][:, ::-1], operations[turned][:, ::-1]
    left = (what != _NOTHING).sum(axis=1)
    done = np.zeros(len(operations), dtype=np.int64)
    while True:
        waiting = np.flatnonzero(done < left)
        if not len(waiting):
            return rounds
        here = what[waiting, done[waiting]]
        moves = np.flatnonzero(here == _GEOMETRY)
        order = moves if len(moves) else np.argsort(here, kind='stable')
        waiting = waiting[order]
        rounds.append(Round(waiting, operations[waiting, done[waiting]], np.bincount(here[order], minlength=len(Kind))))
        done[waiting] += 1
