"""The figures of a report as small PNG files, each with words for those who cannot see it."""

import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from mmdrl.engine.figures import compare_figures, run_figures
from mmdrl.engine.figures.compare import run_names

from .curves import curves_figure
from .groups import RunGroup, seed_of
from .paths import without_folders
from .tables import stages

DPI = 100
COLOURS = 128  # a figure needs few, and is a third as large
CAPTIONS = {
    'class_accuracy': 'Accuracy of each class above its training images',
    'group_confusion': 'Where the images of each group go: right, or wrong into many, medium or few',
    'class_confusion': 'What each class is taken for, classes sorted by size',
    'reliability': 'Share of right answers against confidence, by group: below the diagonal the model is too sure',
    'losses': 'Losses and learning rate over training',
    'accuracy': 'Accuracy by group over training, linear and by nearest class mean',
    'radii': 'Radii of the class balls and spreads of the classes over training',
    'stages': 'The stages: what they draw, what learns, at which rate',
    'feature_map': 'Features of the validation images on their two main axes, with centroids and balls',
    'tsne': 'Features of the validation images as t-SNE lays them out, with centroids',
    'class_accuracy_of_runs': 'Accuracy of each class side by side',
}
LEFT_OUT = ('accuracy_of_runs',)  # the curves show all seeds


@dataclass(frozen=True)
class Picture:
    """One image.

    Attributes:
        name: Name of its file, without the ending.
        content: PNG.
        caption: Below it.
        alt: In its place where it is not seen.
        width: Pixels.
        height: Pixels.
    """

    name: str
    content: bytes
    caption: str
    alt: str
    width: int
    height: int


def group_curves(groups: Sequence[RunGroup], name: str) -> list[Picture]:
    """Loss and accuracy over training."""
    runs = {group.name: [(record.train, record.val) for record in group.records] for group in groups}
    figure = curves_figure(runs, {group.name: boundaries(group) for group in groups})
    if figure is None:
        return []
    told = (
        'Training loss and accuracy of the linear classifier: a thin line for each seed, a thick one for their mean. '
        'Grey lines stand where a stage ends, if it does so in all groups. Losses of different methods do not compare.'
    )
    return [picture(figure, name, told)]


def boundaries(group: RunGroup) -> list[int]:
    """Epochs after which a stage ends and another begins."""
    ends, last = [], 0
    for stage in stages(group):
        last += int(stage.get('epochs', 0))
        ends.append(last)
    return ends[:-1]


def run_pictures(group: RunGroup, prefix: str) -> list[Picture]:
    """The figures of the first run of a group."""
    record = group.records[0]
    seed = seed_of(record)
    who = f'{group.name}, {"seed unknown" if seed is None else f"seed {seed}"}'
    drawn = [
        picture(figure, f'{prefix}-{name}', f'{caption(name)}: {who}') for name, figure in run_figures(record).items()
    ]
    return drawn + _drawn_maps(record.folder / 'figures', prefix, who)


def compared_pictures(groups: Sequence[RunGroup], prefix: str) -> list[Picture]:
    """The figures that set the first runs of the groups side by side."""
    firsts = [group.records[0] for group in groups if group.is_finished]
    if len(firsts) < 2:
        return []
    figures = {name: figure for name, figure in compare_figures(firsts).items() if name not in LEFT_OUT}
    names = run_names(firsts)
    return [picture(figure, f'{prefix}-{name}', caption(name, names)) for name, figure in figures.items()]


def caption(name: str, names: Sequence[str] = ()) -> str:
    """What a figure of :mod:`mmdrl.engine.figures` shows.

    Args:
        name: Of the figure.
        names: Of the runs compared.
    """
    compared = re.fullmatch(r'difference_(\d+)_(\d+)', name)
    if compared and names:
        first, other = (names[int(number) - 1] for number in compared.groups())
        return f'What {other} gains over {first}, class by class'
    known = CAPTIONS.get(name, name.replace('_', ' ').replace('/', ' ').capitalize())
    return f'{known}: {", ".join(names)}' if names else known


def picture(figure: Figure, name: str, told: str) -> Picture:
    """A figure as a PNG of few colours; its titles and axes go into the words in its place."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=DPI, facecolor='white')
    with Image.open(buffer) as image:
        return _small(image, name, told, _alt(figure, told))


def _drawn_maps(folder: Path, prefix: str, who: str) -> list[Picture]:
    """Maps that the run itself has drawn: they take the network."""
    found = []
    for name in ('feature_map', 'tsne'):
        path = folder / f'{name}.png'
        if path.is_file():
            told = f'{caption(name)}: {who}'
            with suppress(OSError), Image.open(path) as image:  # damaged: the rest of the report is whole
                found.append(_small(image, f'{prefix}-{name}', told, f'{told}.'))
    return found


def _small(image: Image.Image, name: str, told: str, alt: str) -> Picture:
    flat = image.convert('RGB').quantize(COLOURS)
    out = io.BytesIO()
    flat.save(out, format='PNG', optimize=True)
    return Picture(name, out.getvalue(), told, alt, *flat.size)


def _alt(figure: Figure, told: str) -> str:
    """Titles and axes of the panels, and the names in the legends."""
    panels, names = [], []
    for axes in figure.axes:
        title, x, y = (text.replace('\n', ' ') for text in (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()))
        against = f'({y} against {x})' if x and y else f'({x or y})' if x or y else ''
        panels.append(f'{title} {against}'.strip())
        legend = axes.get_legend()
        names += [] if legend is None else [text.get_text() for text in legend.get_texts()]
    known = [panel for panel in dict.fromkeys(panels) if panel]
    shown = f' Panels: {"; ".join(known[:6])}.' if known else ''
    drawn = f' Drawn: {", ".join(dict.fromkeys(names[:12]))}.' if names else ''
    return str(without_folders(f'{told.rstrip(".")}.{shown}{drawn}')).replace(r'\$', '$')
