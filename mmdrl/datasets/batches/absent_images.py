"""Images that are blank in a file of a part of a set: asked for, they are refused, as they would be learned from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.errors import DataError


def refuse_absent(dataset: Any, rows: int | NDArray[np.int64]) -> None:
    """Raise unless a data set has the images of these rows.

    Args:
        dataset: A ``ColumnDataset``, read already.
        rows: One row, or shape ``(B,)``.

    Raises:
        DataError: If one is missing.
    """
    present = dataset._present
    if present is None or present[rows].all():
        return
    wanted = np.atleast_1d(rows)
    absent = wanted[~present[wanted]]
    raise DataError(
        f'{type(dataset).__name__} was given a file with the images of {int(present.sum()):,} of its {len(present):,} '
        f'rows: expected rows that are among them, got {absent[0]} ({len(absent)} of {len(wanted)} are missing). Bring '
        'the whole set, or a part that holds this selection.'
    )


def first_present(dataset: Any) -> int:
    """Position of the first sample of a ``ColumnDataset`` that has its image; 0 if none has."""
    present = dataset._present
    return 0 if present is None else int(present[dataset.rows()].argmax())
