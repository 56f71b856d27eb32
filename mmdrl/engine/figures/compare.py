"""Figures of several runs side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmdrl import visualization
from mmdrl.engine.run_record import RunRecord

from .run import group_settings, known_accuracies

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def compare_figures(records: Sequence[RunRecord], classifier: str = 'linear') -> dict[str, 'Figure']:
    """Figures by name, of runs that have the classes of the first one.

    ``class_accuracy_of_runs``: accuracy of each class; ``accuracy_of_runs``: accuracy over training;
    ``difference_1_2`` and so on: what each further run gains over the first, class by class.

    Args:
        records: Of :func:`mmdrl.engine.run_record.read_run`.
        classifier: ``'linear'`` or ``'ncm'``.
    """
    names = run_names(records)
    figures: dict[str, Figure] = {}
    prefix = '' if classifier == 'linear' else f'{classifier}/'
    curves = {name: record.val for name, record in zip(names, records, strict=True)}
    curves = {name: val for name, val in curves.items() if any(f'{prefix}all' in entry for entry in val)}
    if len(curves) > 1:
        figures['accuracy_of_runs'] = visualization.run_accuracy_figure(curves, prefix)
    done = [(name, record.results) for name, record in zip(names, records, strict=True) if record.results]
    done = [(name, results) for name, results in done if classifier in known_accuracies(results)]
    if not done:
        return figures
    counts, groups = done[0][1].get('class_counts'), group_settings(done[0][1])
    same = {
        name: known_accuracies(results)[classifier] for name, results in done if results.get('class_counts') == counts
    }
    if not counts or len(same) < 2:
        return figures
    figures['class_accuracy_of_runs'] = visualization.class_accuracy_figure(counts, same, **groups)
    first = next(iter(same))
    for name in list(same)[1:]:
        number = names.index(name) + 1
        figures[f'difference_{names.index(first) + 1}_{number}'] = visualization.accuracy_difference_figure(
            counts, same[first], same[name], names=(first, name), **groups
        )
    return figures


def run_names(records: Sequence[RunRecord]) -> list[str]:
    """A name of its own for each run, see :func:`folder_names`."""
    return folder_names([record.folder for record in records])


def folder_names(folders: Sequence[str | Path]) -> list[str]:
    """A name of its own for each folder: its last part, with the folders above as far as it takes.

    Folders given twice are numbered.
    """
    parts = [Path(folder).resolve().parts for folder in folders]
    different = len(set(parts))
    for depth in range(1, max(map(len, parts), default=1) + 1):
        names = ['/'.join(part[-depth:]) for part in parts]
        if len(set(names)) == different:
            break
    seen = [names[:number].count(name) for number, name in enumerate(names)]
    return [f'{name} ({times + 1})' if times else name for name, times in zip(names, seen, strict=True)]
