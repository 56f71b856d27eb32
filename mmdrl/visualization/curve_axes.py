"""The horizontal axis of curves over training, and lines along it.

It counts finished epochs; several entries of one epoch are spread evenly over it. A run that counts no epochs is drawn
over its iterations. A line and a name at the top mark where a stage begins.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .style import plain_text

Entries = Sequence[Mapping[str, Any]]


def progress(entries: Entries) -> NDArray[np.float64]:
    """Place of each entry on the horizontal axis: finished epochs, or iterations if the run counts no epochs."""
    if not all('epoch' in entry for entry in entries):
        return np.array([float(entry.get('iter', 0)) for entry in entries])
    epochs = np.array([entry['epoch'] for entry in entries], dtype=float)
    places = epochs.copy()
    for epoch in np.unique(epochs):
        members = np.flatnonzero(epochs == epoch)
        places[members] = epoch - 1 + np.arange(1, len(members) + 1) / len(members)
    return places


def finish_axes(panels: Sequence[Axes], places: NDArray[np.float64], entries: Entries) -> None:
    """Mark the stages, and name the horizontal axis below the last of axes that lie above each other."""
    stages = [str(entry.get('stage', '')) for entry in entries]
    begins = [i for i, name in enumerate(stages) if name and (i == 0 or name != stages[i - 1])]
    first = 0.0 if len(places) and places[0] >= 0 else None
    for axes in panels:
        axes.grid(color='0.92', linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_xlim(first, float(places[-1]) * 1.01 if len(places) else 1)
        for i in begins[1:]:
            axes.axvline(places[i - 1], color='0.3', linewidth=0.8, zorder=1)
    for i, end in zip(begins, [*begins[1:], len(stages)], strict=False):  # none without stages
        start = places[i - 1] if i else first or 0.0
        middle = (start + places[end - 1]) / 2
        panels[0].annotate(
            plain_text(stages[i], 20), (middle, 1.02), xycoords=('data', 'axes fraction'), ha='center', fontsize=8
        )
    counts_epochs = all('epoch' in entry for entry in entries)
    panels[-1].set_xlabel('epoch' if counts_epochs else 'iteration')
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))


def plot_entries(axes: Axes, places: NDArray[np.float64], entries: Entries, key: str, **look: Any) -> None:
    """A line through the entries that have the key, broken where they are nan; markers where they are few."""
    has = np.array([entry.get(key) is not None for entry in entries], dtype=bool)
    if not has.any():
        return
    values = column(entries, key)
    runs = int(has.sum())
    axes.plot(places[has], values[has], markersize=4, markevery=max(1, runs // 12), linewidth=1.5, **look)


def column(entries: Entries, key: str) -> NDArray[np.float64]:
    """Values of a key, shape ``(entries,)``, nan where there is none."""
    return np.array([np.nan if entry.get(key) is None else float(entry[key]) for entry in entries])
