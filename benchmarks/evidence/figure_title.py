"""The title of a figure. Whatever is not a whole budget says so there, inside the picture."""

from matplotlib.figure import Figure

from mmdrl.visualization.style import plain_text

from .measured import MeasuredPlan
from .tables import LABELS

_NOTES = {
    'short': 'training cut short: not comparable with published numbers',
    'check': 'the numbers mean nothing',
}


def write_title(figure: Figure, measured: MeasuredPlan, more: str = '') -> None:
    """Write title, budget and by what it is judged, and ``more`` in a line below."""
    judged = '' if measured.plan.split == 'test' else ', judged by held-out images'
    title = '\n'.join([plain_text(measured.plan.title, 100) + judged, *[more] * bool(more)])
    label = LABELS[measured.plan.budget]
    shown = figure.suptitle(f'{label}: {_NOTES[measured.plan.budget]}\n{title}' if label else title, fontsize=10)
    if label:
        figure.get_layout_engine().set(h_pad=0.12)  # or the upper edge of the box is cut off
        shown.set(fontweight='bold', bbox=dict(facecolor='#FFF2CC', edgecolor='black', boxstyle='round,pad=0.4'))
