"""Marks of a map of features: samples, centroids, balls and their names."""

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from .map_classes import MAX_CLASS_COLOURS, MapClasses
from .style import GROUP_STYLES


def draw_map(axes: Axes, classes: MapClasses, points: NDArray[np.float64], balls: NDArray[np.float64]) -> None:
    """Samples, centroids and balls in a plane.

    Args:
        axes: Where.
        classes: Of :func:`map_classes`.
        points: Places of the samples, shape ``(N, 2)``.
        balls: Places of the centroids, shape ``(K, 2)``.
    """
    angles = _spoke_angles(balls, classes.is_known)
    turns = angles.argsort().argsort() % 2
    is_many = len(balls) > MAX_CLASS_COLOURS
    room = np.ptp(points, axis=0).max()
    axes.margins(0.16)  # for the names
    for label, (marker, colour) in enumerate(zip(classes.markers, classes.colours, strict=True)):
        x, y = points[classes.labels == label].T
        axes.scatter(
            x, y, s=7 if is_many else 14, marker=marker, color=colour, linewidths=0, alpha=0.35 if is_many else 0.5
        )
        if not classes.is_known[label]:
            continue
        x, y = balls[label]
        axes.scatter(x, y, s=40 if is_many else 90, marker=marker, color=colour, edgecolors='black', zorder=4)
        radius = classes.radius[label]
        if radius > 0 or classes.is_named:
            name = classes.names[label] if classes.is_named else ''
            is_near = bool(turns[label])
            _draw_ball(axes, balls[label], float(radius), angles[label], name, colour, room, is_near)


def name_groups(axes: Axes, classes: MapClasses) -> None:
    """A legend of the shot groups, if they give the colours."""
    handles = [
        Line2D([], [], linestyle='none', marker=style.marker, color=style.colour, markeredgecolor='black', label=label)
        for group, style in GROUP_STYLES.items()
        if (number := classes.groups.count(group))
        for label in [f'{group}-shot, {number} {"class" if number == 1 else "classes"}']
    ]
    if handles:
        axes.legend(handles=handles, loc='best', framealpha=0.9)


def _spoke_angles(balls: NDArray[np.float64], is_known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """An angle for each ball, (K,): roughly outwards, and evenly spread so that no two are alike."""
    outwards = balls - balls[is_known].mean(axis=0) if is_known.any() else balls
    rank = np.arctan2(outwards[:, 1], outwards[:, 0]).argsort().argsort()
    return 2 * np.pi * (rank + 0.5) / len(balls) - np.pi


def _draw_ball(
    axes: Axes,
    centre: NDArray[np.float64],
    radius: float,
    angle: float,
    name: str,
    colour: str,
    room: float,
    is_near: bool,
) -> None:
    """A circle, and a spoke from its centre to its name: without colour it still shows whose circle it is.

    A ball too small for a spoke has its name at a distance, so that it does not lie on the samples of the class; those
    of neighbours stand at two distances by turns.
    """
    x, y = centre
    across, up = np.cos(angle), np.sin(angle)
    end = (x + radius * across, y + radius * up)
    if radius > 0:
        axes.add_patch(Circle((x, y), radius, fill=False, color=colour, linewidth=1.4 if name else 0.7, zorder=3))
    if not name:
        return
    axes.plot([x, end[0]], [y, end[1]], color=colour, linewidth=1, linestyle=':', zorder=3)
    is_short = radius < 0.06 * room
    away = (32 if is_near else 56) if is_short else 9  # points
    text = axes.annotate(
        name,
        end,
        (away * across, away * up),
        textcoords='offset points',
        ha='center',
        va='center',
        fontsize=9,
        arrowprops=dict(arrowstyle='-', color='0.2', linewidth=0.7, shrinkA=0, shrinkB=0) if is_short else None,
    )
    text.set(zorder=5, in_layout=False)  # or long names would squeeze the map
    text.set_path_effects([patheffects.withStroke(linewidth=3, foreground='white')])
