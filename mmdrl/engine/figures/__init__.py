"""Figures of runs: which there are, from what a run has left behind, and how they are written."""

from .compare import compare_figures, folder_names, run_names
from .predictions import NAMES, prediction_figures
from .run import group_settings, known_accuracies, run_figures
from .write import FORMATS, write_figures

__all__ = [
    'FORMATS',
    'NAMES',
    'compare_figures',
    'folder_names',
    'group_settings',
    'known_accuracies',
    'prediction_figures',
    'run_figures',
    'run_names',
    'write_figures',
]
