"""Figures of representation reports: measures of classes against their size, models laid over each other."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from mmdrl.errors import DataError

from .style import MAX_TICK_LABELS, new_figure, plain_text, run_style

BINS = 8  # of class sizes, where there are too many classes to join them by a line

UNITS, RATIO = 'feature units', 'ratio'


class Panel(NamedTuple):
    """What one pair of axes shows.

    Attributes:
        measure: Its key in ``per_class`` of a report.
        title: What it is, in a line or two.
        unit: Of the vertical axis; panels in feature units share their scale.
    """

    measure: str
    title: str
    unit: str


FIGURES = {
    'spread': (
        Panel('spread_test', 'spread of held-out images\n(RMS distance from their class mean)', UNITS),
        Panel('spread_train', 'spread of training images\n(RMS distance from their class mean)', UNITS),
    ),
    'centroid_error': (
        Panel('error_to_spread', 'centroid error\nover spread of held-out images', RATIO),
        Panel('error_to_nearest', 'centroid error\nover distance to the nearest other centroid', RATIO),
        Panel('error_to_expected', 'centroid error\nover that of drawing so few images', RATIO),
    ),
    'radius': (
        Panel('radius', 'radius of the DR loss', UNITS),
        Panel('centroid_error', 'distance of training and held-out centroid', UNITS),
    ),
}
# What a value means, as a line at it.
MARKS = {
    'error_to_expected': (1.0, 'sampling noise alone'),
    'error_to_nearest': (0.5, 'halfway to another centroid'),
}


def representation_figures(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Figure]:
    """Figures ``spread``, ``centroid_error`` and ``radius`` by name; the last only where a model has radii.

    Args:
        reports: Of :func:`mmdrl.engine.representation.representation_report`, by the name of the model.

    Raises:
        DataError: If there is none.
    """
    if not reports:
        raise DataError('Expected the report of a model at least, got none.')
    figures = {}
    sizes = {label: report['per_class']['train_images'] for label, report in reports.items()}
    for name, panels in FIGURES.items():
        values = [{label: report['per_class'].get(p.measure) for label, report in reports.items()} for p in panels]
        if all(any(of_model is not None for of_model in of_panel.values()) for of_panel in values):
            figures[name] = class_size_figure(sizes, list(zip(panels, values, strict=True)))
    return figures


def class_size_figure(
    sizes: Mapping[str, ArrayLike], panels: Sequence[tuple[Panel, Mapping[str, ArrayLike | None]]]
) -> Figure:
    """Figure of measures of classes against their size, one panel each, side by side, the size on a log scale.

    A marker is a class. Up to 30 classes are joined by a line; of more, the line joins medians of classes of like size.

    Args:
        sizes: Training images per class, shape ``(K,)``, by model.
        panels: Each with the values, shape ``(K,)``, by model; ``None`` for a model that has none, nan or ``None`` for
            a class that has none.

    Raises:
        DataError: If there is no model, or values are not one per class.
    """
    if not sizes or not panels:
        raise DataError('Expected measures of a model at least to draw them, got none.')
    is_shared = all(panel.unit == UNITS for panel, _ in panels)
    columns = min(len(sizes), 2 * len(panels))
    figure = new_figure(4.4 * len(panels), 4.1 + 0.2 * -(-len(sizes) // columns))
    row = figure.subplots(1, len(panels), squeeze=False, sharey=is_shared)[0]
    for axes, (panel, by_model) in zip(row, panels, strict=True):
        for number, (name, values) in enumerate(by_model.items()):
            if values is not None:
                _draw(axes, name, np.asarray(sizes[name], float), np.asarray(values, float), number)
        axes.set_title(panel.title, fontsize=10)
        axes.set(xscale='log', xlabel='training images of the class (log scale)', ylabel=panel.unit)
        low, high = axes.get_xlim()
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1e3 else (1,)))
        axes.xaxis.set_major_formatter('{x:,g}')
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(color='0.9', linewidth=0.5)
        axes.set_axisbelow(True)
        if panel.measure in MARKS:
            _mark(axes, *MARKS[panel.measure])
    for axes in row:
        axes.set_ylim(bottom=0)
        axes.tick_params(labelleft=True)
    found = {text: handle for axes in row for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    names = [text for name in sizes if (text := _legend_text(name, sizes[name])) in found]
    figure.legend([found[name] for name in names], names, loc='outside lower center', ncols=columns, frameon=False)
    return figure


def _draw(axes: Axes, name: str, sizes: NDArray[np.float64], values: NDArray[np.float64], number: int) -> None:
    if values.shape != sizes.shape or values.ndim != 1:
        raise DataError(f"'{name}' must have one value for each of {sizes.size} classes, got {values.shape}.")
    is_known = np.isfinite(values) & (sizes > 0)
    order = np.argsort(-sizes[is_known], kind='stable')
    x, y = sizes[is_known][order], values[is_known][order]
    if x.size == 0:
        return
    style = run_style(number)
    if sizes.size <= MAX_TICK_LABELS:
        axes.plot(x, y, **style, markersize=5, fillstyle='none', linewidth=1.3, label=_legend_text(name, sizes))
        return
    axes.plot(x, y, **{**style, 'linestyle': 'none'}, markersize=2.5, fillstyle='none', alpha=0.35)
    bins = np.digitize(np.log(x), np.linspace(np.log(x.min()), np.log(x.max()), BINS + 1)[1:-1])
    middle = [(np.median(x[bins == number]), np.median(y[bins == number])) for number in np.unique(bins)]
    axes.plot(*np.transpose(middle), **style, markersize=6, linewidth=1.6, label=_legend_text(name, sizes))


def _legend_text(name: str, sizes: ArrayLike) -> str:
    return plain_text(name) if np.size(sizes) <= MAX_TICK_LABELS else f'{plain_text(name)} (medians)'


def _mark(axes: Axes, value: float, meaning: str) -> None:
    if value > axes.get_ylim()[1] * 1.6:
        return
    axes.set_ylim(top=max(axes.get_ylim()[1], 1.12 * value))
    axes.axhline(value, color='0.4', linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    text = axes.annotate(
        meaning,
        (0.03, value),
        xycoords=('axes fraction', 'data'),
        xytext=(0, 3),
        textcoords='offset points',
        fontsize=8,
        color='0.3',
    )
    text.set_path_effects([patheffects.withStroke(linewidth=2, foreground='white')])
