"""Radii of the class balls and spreads of the classes over training."""

import numpy as np
from matplotlib.figure import Figure

from mmdrl.errors import DataError

from .curve_axes import Entries, column, finish_axes, plot_entries, progress
from .style import GROUP_STYLES, new_figure


def radius_figure(train: Entries) -> Figure:
    """Figure of the radii of the class balls and the spreads of the classes over training.

    Args:
        train: Entries some of which have ``radius/mean``, ``radius/largest``, ``radius/smallest``, ``radius/many`` and
            so on, or ``spread/mean`` likewise, as ``mmdrl.RadiusHook`` logs them.

    Returns:
        The figure; axes for radii and for spreads, as far as there are entries: a band from smallest to largest, the
        mean of all classes, and a line per shot group.

    Raises:
        DataError: If no entry has either.
    """
    titles = {
        'radius': 'radius (unit of the distance of the DR loss)',
        'spread': 'spread of the features (feature units)',
    }
    panels = {name: title for name, title in titles.items() if any(f'{name}/mean' in entry for entry in train)}
    if not panels:
        raise DataError('There must be an entry with radius/mean or spread/mean to draw radii, got none.')
    places = progress(train)
    figure = new_figure(4.8 * len(panels) + 0.6, 4.2)
    for axes, (name, title) in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels.items(), strict=True):
        has = np.array([f'{name}/mean' in entry for entry in train])
        low, high = (column(train, f'{name}/{end}')[has] for end in ('smallest', 'largest'))
        axes.fill_between(places[has], low, high, color='0.9', label='smallest to largest class')
        for group, style in GROUP_STYLES.items():
            key = 'mean' if group == 'all' else group
            look = dict(color=style.colour, marker=style.marker, linestyle=style.line_style)
            plot_entries(
                axes, places, train, f'{name}/{key}', label='mean of all classes' if group == 'all' else group, **look
            )
        axes.set(ylabel=title, ylim=(0, max(float(np.nanmax(high)) * 1.08, 1e-9)))
        finish_axes((axes,), places, train)
    figure.legend(*axes.get_legend_handles_labels(), loc='outside lower center', ncols=5, frameon=False)
    return figure
