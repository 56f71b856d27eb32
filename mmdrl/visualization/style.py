"""What all figures share: colours, markers, line styles, and how text of users is written.

Whatever differs in colour also differs in marker, line style or hatching, and the colours differ in lightness, so that
a figure can be printed in grey. Nothing here touches matplotlib's global settings.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmdrl.stats import Edges

# Okabe and Ito's palette, dark ones first: told apart by the colour-blind, and by lightness in grey.
COLOURS = ('#0072B2', '#D55E00', '#000000', '#009E73', '#CC79A7', '#56B4E9')
MARKERS = ('o', '^', 'x', 's', 'D', '+')
LineStyle = str | tuple[int, tuple[float, ...]]
LINE_STYLES: tuple[LineStyle, ...] = ('-', '--', ':', '-.', (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
MAX_TICK_LABELS = 30
NAME_LENGTH = 60  # letters


class GroupStyle(NamedTuple):
    """How a shot group is drawn, in every figure."""

    colour: str
    marker: str
    line_style: LineStyle


GROUP_STYLES = {
    'many': GroupStyle('#0072B2', 'o', '-'),
    'medium': GroupStyle('#E69F00', '^', '--'),
    'few': GroupStyle('#D55E00', 's', ':'),
    'all': GroupStyle('#000000', 'x', '-.'),
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, which pyplot does not know."""
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def run_style(number: int) -> dict[str, Any]:
    """Colour, marker and line style of one of several runs; a second round of colours comes with other lines."""
    return dict(
        color=COLOURS[number % len(COLOURS)],
        marker=MARKERS[number % len(MARKERS)],
        linestyle=LINE_STYLES[(number + number // len(COLOURS)) % len(LINE_STYLES)],
    )


def plain_text(name: object, length: int = NAME_LENGTH) -> str:
    """A name as matplotlib shows it as it is, without its middle if it is long: its end tells most."""
    text = str(name)
    text = text if len(text) <= length else f'{text[: length // 3]}…{text[-(length - length // 3 - 1) :]}'
    text = text.replace('$', r'\$')  # no formulas
    return f' {text}' if text.startswith('_') else text  # matplotlib hides what begins so


def group_rules(many: int, few: int, edges: Edges) -> dict[str, str]:
    """Training images of a class of each group, in words."""
    if edges == 'exclusive':
        return {'many': f'> {many}', 'medium': f'{few} to {many}', 'few': f'< {few}'}
    return {'many': f'≥ {many}', 'medium': f'{few + 1} to {many - 1}', 'few': f'≤ {few}'}


def count_words(number: int, singular: str, plural: str) -> str:
    """``1 class``, ``2 classes``."""
    return f'{number:,} {singular if number == 1 else plural}'


def say_nothing_there(axes: Axes, text: str) -> None:
    """Write into the middle of empty axes why they are empty."""
    shown = axes.text(0.5, 0.5, text, transform=axes.transAxes, ha='center', va='center', color='0.35', zorder=5)
    shown.set_bbox(dict(facecolor='white', edgecolor='none', pad=2))


def label_names(axes: Axes, places: NDArray, names: list[str], *, vertical: bool = False) -> None:
    """Ticks with the names of classes, turned if they are long.

    Args:
        axes: Where.
        places: Of the ticks.
        names: As many.
        vertical: Whether they stand at the vertical axis.
    """
    shown = [plain_text(name, 18) for name in names]
    if vertical:
        axes.set_yticks(places, shown)
        return
    is_long = max(map(len, shown)) > 4
    axes.set_xticks(places, shown, rotation=60 * is_long)
    for tick in axes.get_xticklabels() if is_long else ():
        tick.set(ha='right', rotation_mode='anchor')


def shares(groups: Mapping[str, NDArray]) -> str:
    """Sizes of the groups, ``3 / 4 / 3``."""
    return ' / '.join(str(int(mask.sum())) for mask in groups.values())


def scale_rates(axes: Axes, rates: NDArray) -> None:
    """A log scale for learning rates, unless they hardly differ: its ticks would be unreadable."""
    known = rates[rates > 0]
    is_log = bool(known.size) and known.max() > 20 * known.min()
    axes.set(yscale='log' if is_log else 'linear', ylabel='learning rate\n(log scale)' if is_log else 'learning rate')
    if not is_log:
        axes.set_ylim(0, (known.max() if known.size else 1) * 1.1)
