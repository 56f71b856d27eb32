"""Trained networks that have been looked into: what their records say, with the DR loss and without it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmdrl.stats.spread import Difference, paired_difference

from .measured import MeasuredPlan, MeasuredRow, at, values

SHOWN = 4


class Pair(NamedTuple):
    """A row with the DR loss, and the one that is the same without."""

    row: MeasuredRow
    control: MeasuredRow

    @property
    def name(self) -> str:
        """Of both."""
        return f'{self.row.row.name} - {self.control.row.name}'

    def difference(self, *path: str, factor: float = 1.0) -> Difference | None:
        """With the loss minus without, over the seeds of both.

        Args:
            path: Of :func:`values`.
            factor: By which the values are multiplied.
        """
        return paired_difference(values(self.row, *path, factor=factor), values(self.control, *path, factor=factor))


def has_been_seen(row: MeasuredRow) -> bool:
    """Whether a network of the row has been looked into."""
    return any(cell.get('insight') for cell in row.cells)


def has_dr_loss(row: MeasuredRow) -> bool:
    """Whether a network of the row, looked into, had the DR loss."""
    return any((cell.get('insight') or {}).get('gradients') for cell in row.cells)


def with_dr_loss(measured: MeasuredPlan) -> list[MeasuredRow]:
    """Rows with the DR loss that have been looked into, in the order of the plan."""
    return [row for row in measured.rows if has_dr_loss(row)]


def has_balls(row: MeasuredRow) -> bool:
    """Whether the balls of a network of the row were of the features that were looked at."""
    return any((cell.get('insight') or {}).get('balls') for cell in row.cells)


def pairs(measured: MeasuredPlan) -> list[Pair]:
    """Rows with the DR loss whose control is without it, both looked into."""
    found = [(row, measured.row(row.row.control)) for row in with_dr_loss(measured) if row.row.control]
    return [
        Pair(row, control)
        for row, control in found
        if control is not None and has_been_seen(control) and not has_dr_loss(control)
    ]


def shown_pairs(measured: MeasuredPlan) -> list[Pair]:
    """The first pair of each control, :data:`SHOWN` at most: what there is room for in a figure."""
    of_controls: dict[str, Pair] = {}
    for pair in pairs(measured):
        of_controls.setdefault(pair.control.row.name, pair)
    return list(of_controls.values())[:SHOWN]


def shown_rows(measured: MeasuredPlan) -> list[MeasuredRow]:
    """Rows with the DR loss for a figure: those of its pairs, then others, :data:`SHOWN` at most."""
    first = [pair.row for pair in shown_pairs(measured)]
    names = [row.row.name for row in first]
    return [*first, *(row for row in with_dr_loss(measured) if row.row.name not in names)][:SHOWN]


def figure_names(measured: MeasuredPlan) -> list[str]:
    """Figures that a plan with pairs has."""
    return ['gap', 'centroids', 'gradients', *['balls'] * any(map(has_balls, shown_rows(measured)))]


def class_means(row: MeasuredRow, *path: str) -> NDArray[np.float64] | None:
    """Mean over seeds of an array over classes, shape ``(K,)``; nan for a class that has no value in any seed.

    Args:
        row: Which one.
        path: Keys to it, from the record on.
    """
    arrays = [np.asarray(found, dtype=float) for cell in row.cells if (found := at(cell, path)) is not None]
    if not arrays:
        return None
    stack = np.stack(arrays)
    known = np.isfinite(stack)
    with np.errstate(invalid='ignore'):
        means: NDArray[np.float64] = np.where(known, stack, 0).sum(axis=0) / known.sum(axis=0)
    return means
