"""The picture of ``scaling.py``: a small panel for each part, time over size, from a result file alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mmdrl.visualization.style import new_figure, run_style

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / 'docs' / 'images' / 'scaling.png'
WORDS = dict(K='classes', D='features', B='batch', N='samples')
VARIABLES = dict(zip(WORDS, range(4), strict=True))
COLUMNS = 4


def scaling(path: Path = ROOT / 'benchmarks' / 'results' / 'scaling_cpu.json') -> Figure:
    """Milliseconds over size, both on log scales; each series with its exponent.

    Args:
        path: Result file.
    """
    rows = json.loads(path.read_text())['rows']
    parts = list(dict.fromkeys(row['part'] for row in rows))
    lines = -(-len(parts) // COLUMNS)
    figure = new_figure(2.1 * COLUMNS, 1.95 * lines + 0.4)
    panels = figure.subplots(lines, COLUMNS, squeeze=False).flat
    for axes, part in zip(panels, parts, strict=False):
        _draw(axes, part, [row for row in rows if row['part'] == part])
    for axes in panels:
        axes.set_axis_off()
    figure.supxlabel('size', fontsize=9)
    figure.supylabel('milliseconds', fontsize=9)
    return figure


def save_figure(path: Path, picture: Path = PICTURE) -> Path:
    """Where the picture of a result file has been written, small enough for a page."""
    scaling(path).savefig(picture, dpi=110, facecolor='white', metadata={'Software': None})
    return picture


def _draw(axes: Axes, part: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        sizes = np.array(row['sizes'])
        found = {name: 1e3 * np.array([seconds[name] for seconds in row['seconds']]) for name in row['seconds'][0]}
        style = run_style(VARIABLES[row['variable']])
        label = f'{row["variable"]} {WORDS[row["variable"]]}: {row["exponent"] + 0.0:.2f}'
        axes.plot(sizes, found['median'], markersize=3.5, linewidth=1.2, label=label, **style)
        axes.fill_between(sizes, found['low'], found['high'], color=style['color'], alpha=0.2, linewidth=0)
    axes.set_title(part, fontsize=9)
    axes.set(xscale='log', yscale='log')
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, high / 100), high * 4 ** len(rows))  # what is flat looks flat, and the legend has room
    axes.tick_params(labelsize=7)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(color='0.92', linewidth=0.5)
    axes.legend(fontsize=6.5, loc='upper left', frameon=False, handlelength=2.2)
