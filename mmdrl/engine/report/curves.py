"""Loss and accuracy over training: every seed as a thin line, their mean as a thick one, stages told apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmdrl.visualization.style import new_figure, plain_text, run_style

PANELS = (('loss', 'training loss'), ('all', 'all classes, %'), ('few', 'few-shot classes, %'))
Series = Sequence[Mapping[str, Any]]


def curves_figure(
    runs: Mapping[str, Sequence[tuple[Series, Series]]], boundaries: Mapping[str, Sequence[int]] | None = None
) -> Figure | None:
    """Figure with a panel each for training loss, accuracy of all and of the few-shot classes.

    Args:
        runs: By name of the group, entries of training and of validations of each run, as a
            :class:`mmdrl.engine.run_record.RunRecord` has them.
        boundaries: Last epochs of the stages but the last, by group; drawn if all groups have the same.

    Returns:
        The figure; ``None`` if there is nothing to draw.
    """
    lines: dict[str, dict[str, list[dict[float, float]]]] = {key: {} for key, _ in PANELS}
    unit = (
        'epoch' if all('epoch' in entry for pairs in runs.values() for pair in pairs for entry in pair[1]) else 'iter'
    )
    for name, pairs in runs.items():
        for key, _ in PANELS:
            found = [by_place(train if key == 'loss' else val, key, unit) for train, val in pairs]
            lines[key][name] = [line for line in found if line]
    panels = [(key, label) for key, label in PANELS if any(lines[key].values())]
    if not panels:
        return None
    figure = new_figure(4.2 * len(panels), 3.4)
    every = figure.subplots(1, len(panels), squeeze=False)[0]
    edges = {tuple(places) for places in (boundaries or {}).values()}
    for axes, (key, label) in zip(every, panels, strict=True):
        for number, (name, found) in enumerate(lines[key].items()):
            _draw(axes, name, found, run_style(number), has_markers=key != 'loss')
        for edge in next(iter(edges)) if len(edges) == 1 and unit == 'epoch' else ():
            axes.axvline(edge + 0.5, color='0.6', linewidth=0.8, zorder=0)
        axes.set(xlabel='epoch' if unit == 'epoch' else 'iteration', title=label)
        axes.grid(alpha=0.25)
        if key == 'loss' and all(
            value > 0 for found in lines[key].values() for line in found for value in line.values()
        ):
            axes.set_yscale('log')
    every[-1].legend(fontsize='small')
    return figure


def by_place(entries: Series, key: str, unit: str) -> dict[float, float]:
    """Mean of the entries at each epoch or iteration; nan and missing ones left out."""
    found: dict[float, list[float]] = {}
    for entry in entries:
        place, value = entry.get(unit), entry.get(key)
        if place is not None and isinstance(value, (int, float)) and np.isfinite(value):
            found.setdefault(place, []).append(float(value))
    return {place: float(np.mean(values)) for place, values in sorted(found.items())}


def _draw(axes: Axes, name: str, lines: Sequence[dict[float, float]], style: dict[str, Any], has_markers: bool) -> None:
    if not lines:
        return
    marker = style['marker'] if has_markers else ''
    if len(lines) > 1:
        for line in lines:
            axes.plot(list(line), list(line.values()), color=style['color'], linewidth=0.6, alpha=0.45)
    shared = sorted(set.intersection(*map(set, lines)))
    means = [float(np.mean([line[place] for line in lines])) for place in shared]
    axes.plot(shared, means, **{**style, 'marker': marker}, linewidth=2, markersize=4, label=plain_text(name))
