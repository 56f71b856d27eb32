"""Images given by their position in an original set, found in what is at hand: all of that set or a part."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.columns import ColumnDataset
from mmdrl.datasets.same_images import distinct_images, image_ids
from mmdrl.datasets.wrappers import parts_of, read
from mmdrl.errors import DataError


def left_out(dataset: Any, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the images that are not among those at ``indices``, each image once, ascending."""
    ids, distinct = image_ids(dataset), distinct_images(dataset)
    return distinct[~np.isin(ids[distinct], ids[indices])]


def find_positions(dataset: Any, original: NDArray[np.int64], where: str) -> NDArray[np.int64]:
    """Positions in the data set of images given by their position in the original set, in the order given.

    Args:
        dataset: The original set itself or, where everything behind its wrappers has an ``index``, what is left of
            the original set.
        original: Positions, shape ``(n,)``.
        where: What holds them, as the beginning of the message.

    Raises:
        DataError: If a position is below 0, too large, not there or an image occurs twice; it counts them and names
            the first.
    """
    _refuse(original < 0, original, f'{where} must hold positions of at least 0')
    index = _original_positions(dataset)
    if index is None:
        _refuse(
            original >= len(dataset),
            original,
            f'{where} must hold positions of the {len(dataset):,} images of {type(dataset).__name__}',
        )
        found = original
    else:
        distinct = distinct_images(dataset)
        values, first = np.unique(index[distinct], return_index=True)
        if len(values) < len(distinct):
            raise DataError(
                f"{type(dataset).__name__} joins sets whose 'index' give the same position to different images."
            )
        slot = np.searchsorted(values, original).clip(max=len(values) - 1)
        _refuse(
            values[slot] != original,
            original,
            f"{where} must hold positions that the 'index' of {type(dataset).__name__} has ({len(values):,} images)",
        )
        found = distinct[first[slot]]
    is_first = np.zeros(len(found), dtype=bool)
    is_first[np.unique(image_ids(dataset)[found], return_index=True)[1]] = True
    _refuse(~is_first, original, f'{where} must hold every image once')
    return found


def _original_positions(dataset: Any) -> NDArray[np.int64] | None:
    """``index`` of every sample, or None if something behind the wrappers has none."""
    parts = parts_of(read(dataset))
    if parts is None:
        return dataset.index if isinstance(dataset, ColumnDataset) else None
    found = [(_original_positions(part), positions) for part, positions in parts]
    known = [index[positions] for index, positions in found if index is not None]
    return np.concatenate(known) if len(known) == len(found) else None


def _refuse(is_wrong: NDArray[np.bool_], positions: NDArray[np.int64], expected: str) -> None:
    if is_wrong.any():
        at = int(is_wrong.argmax())
        raise DataError(
            f'{expected}, got {positions[at]} at place {at} ({int(is_wrong.sum())} of {len(positions)} do not fit).'
        )
