"""Figures of a plan, from its records alone; saved small enough for a page."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .accuracy_figure import accuracy
from .curves_figure import accuracy_curves
from .measured import MeasuredPlan

FIGURES: dict[str, Callable[[MeasuredPlan], Figure]] = {'accuracy': accuracy, 'accuracy_curves': accuracy_curves}


def save(figure: Figure, path: Path) -> None:
    """Write a picture of few colours, small enough for a page."""
    figure.set_dpi(100)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
    Image.fromarray(np.ascontiguousarray(pixels)).quantize(64).save(path, optimize=True)
