"""Which samples of a wrapped data set are one and the same image.

Wrappers repeat images, on purpose or by accident. Whoever counts images, holds some out or passes over
them exactly once needs to know.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.columns import ColumnDataset
from mmdrl.datasets.wrappers import parts_of, read


def image_ids(dataset: Any) -> NDArray[np.int64]:
    """A number for every sample; equal numbers are the same image.

    Looks through the wrappers of :func:`mmdrl.datasets.wrappers.parts_of`. Below them two samples are one image
    if they have the same position in the same data set object or, of a
    :class:`~mmdrl.datasets.columns.ColumnDataset`, the same row of the same ``image_source()``. What
    KFoldDataset leaves of another data set is a copy, and so a data set of its own.

    Args:
        dataset: Any data set with a length.

    Returns:
        Numbers of at least 0, shape ``(N,)``. They have no meaning beyond being equal.
    """
    sources: dict[Hashable, int] = {}
    source, row = _sources_and_rows(dataset, sources)
    return source * (row.max(initial=0) + 1) + row


def distinct_images(dataset: Any) -> NDArray[np.int64]:
    """Position of the first sample of every image, ascending, shape ``(n,)``."""
    return np.sort(np.unique(image_ids(dataset), return_index=True)[1])


def _sources_and_rows(dataset: Any, sources: dict[Hashable, int]) -> NDArray[np.int64]:
    """Number of the source and row in it of every sample, shape ``(2, N)``; new sources are added."""
    parts = parts_of(read(dataset))
    if parts is not None:
        return np.concatenate(
            [_sources_and_rows(part, sources)[:, positions] for part, positions in parts],
            axis=1,
        )
    if isinstance(dataset, ColumnDataset):
        source, rows = (type(dataset), dataset.image_source()), dataset.rows()
    else:
        source, rows = (type(dataset), id(dataset)), np.arange(len(dataset))
    return np.stack([np.full(len(rows), sources.setdefault(source, len(sources))), rows])
