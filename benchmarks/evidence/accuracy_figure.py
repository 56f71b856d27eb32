"""The accuracy of the methods of a plan, with its spread."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mmdrl.visualization.style import GROUP_STYLES, new_figure, plain_text

from .figure_title import write_title
from .measured import MeasuredPlan, MeasuredRow
from .published import published
from .tables import grouped

SHOTS = ('all', 'many', 'medium', 'few')


def accuracy(measured: MeasuredPlan) -> Figure:
    """Mean, standard deviation and every seed of each method, a panel for all classes and one for each shot group.

    Published numbers of a method are short upright lines; only whole budgets have them.
    """
    lines = _lines(measured)
    figure = new_figure(11, 1.5 + 0.3 * len(lines))
    panels = figure.subplots(1, len(SHOTS), sharey=True)
    numbers = published(measured.plan.name) if measured.is_evidence else {}
    for axes, metric in zip(panels, SHOTS, strict=True):
        style = GROUP_STYLES[metric]
        for place, (_, row) in enumerate(lines):
            if row is None or (found := row.spread(metric)) is None:
                continue
            values = list(row.values(metric).values())
            axes.plot(values, np.full(len(values), place), 'o', color='0.55', markersize=4, fillstyle='none', zorder=2)
            axes.errorbar(
                found.mean,
                place,
                xerr=found.std or 0,
                color=style.colour,
                marker=style.marker,
                markersize=6,
                capsize=3,
                linewidth=1.5,
                markeredgewidth=1.6,
                zorder=3,
            )
            known = getattr(numbers[row.row.name], metric) if row.row.name in numbers else None
            if known is not None:
                axes.plot([known, known], [place - 0.45, place + 0.45], color='black', linewidth=2.2, zorder=4)
        axes.set_title(f'{metric if metric == "all" else f"{metric}-shot"} (%)', fontsize=10)
        axes.tick_params(axis='y', length=0)
        axes.grid(axis='x', color='0.9', linewidth=0.5)
        axes.set_axisbelow(True)
        axes.margins(x=0.12)
        axes.xaxis.set_major_locator(MaxNLocator(3))
    _label_lines(panels[0], lines)
    write_title(figure, measured)
    _explain(figure, bool(numbers))
    return figure


def _lines(measured: MeasuredPlan) -> list[tuple[str, MeasuredRow | None]]:
    """Text and row of every line of the figure; a heading of a group has no row."""
    lines: list[tuple[str, MeasuredRow | None]] = []
    for group, rows in grouped(measured).items():
        lines += [(plain_text(group), None)] * bool(group)
        for row in rows:
            label = fill(plain_text(row.row.label or row.row.name, 80), 42)
            lines.append((f'{label}  n = {len(row.cells)}', row))
    return lines


def _label_lines(axes: Axes, lines: Sequence[tuple[str, MeasuredRow | None]]) -> None:
    axes.set_yticks(range(len(lines)), [text for text, _ in lines], fontsize=8.5, linespacing=0.9)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    for tick, (_, row) in zip(axes.get_yticklabels(), lines, strict=True):
        tick.set_fontweight('normal' if row else 'bold')


def _explain(figure: Figure, has_published: bool) -> None:
    marks = [
        Line2D(
            [], [], color='black', marker='x', markeredgewidth=1.6, linestyle='-', label='mean ± standard deviation'
        ),
        Line2D([], [], color='0.55', marker='o', fillstyle='none', linestyle='', label='one seed'),
    ]
    if has_published:
        marks.append(Line2D([], [], color='black', marker='|', markersize=12, markeredgewidth=2.2, linestyle='',
                            label='published, not measured here'))  # fmt: skip
    figure.legend(handles=marks, loc='outside lower center', ncols=3, frameon=False, fontsize=8)
