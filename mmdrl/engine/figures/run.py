"""All figures of one run."""

from typing import TYPE_CHECKING, Any

from mmdrl import visualization
from mmdrl.engine.run_record import RunRecord
from mmdrl.errors import DataError

from .predictions import CLASSIFIERS, prediction_figures
from .stages import timeline_stages

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run_figures(record: RunRecord) -> dict[str, 'Figure']:
    """Figures by name, without those that the run has no data for.

    ``class_accuracy``, ``group_confusion``, ``class_confusion``, ``reliability`` of the last validation; ``losses``,
    ``accuracy``, ``radii`` and ``stages`` of the training. The map of features needs the network, and is none of them.

    Args:
        record: Of :func:`mmdrl.engine.run_record.read_run`.

    Raises:
        DataError: If its files do not fit together; the message names the run.
    """
    try:
        return _run_figures(record)
    except DataError as error:
        raise DataError(f'The files of the run {record.name} do not fit together. {error}') from error


def group_settings(results: dict[str, Any]) -> dict[str, Any]:
    """Group edges that a run was measured with, those of ``mmdrl.ShotAccuracy`` by default."""
    found = results.get('shot_groups')
    return {key: found[key] for key in ('many', 'few', 'edges') if key in found} if isinstance(found, dict) else {}


def known_accuracies(results: dict[str, Any]) -> dict[str, list[float]]:
    """Accuracy of each class by classifier, nan for a class that was not tested."""
    found = results.get('per_class') or {}
    return {
        name: [float('nan') if value is None else value for value in found[name]]
        for name in sorted(found, key=lambda name: (name not in CLASSIFIERS, name != 'linear'))
        if any(value is not None for value in found[name])
    }


def _run_figures(record: RunRecord) -> dict[str, 'Figure']:
    figures: dict[str, Figure] = {}
    counts = record.results.get('class_counts')
    if counts:
        per_class = known_accuracies(record.results)
        figures |= prediction_figures(counts, group_settings(record.results), record.predictions or {}, per_class)
    if any('loss' in entry for entry in record.train):
        figures['losses'] = visualization.loss_figure(record.train)
    if any(f'{prefix}all' in entry for entry in record.val for prefix in ('', 'ncm/')):
        figures['accuracy'] = visualization.accuracy_figure(record.val)
    if any(f'{name}/mean' in entry for entry in record.train for name in ('radius', 'spread')):
        figures['radii'] = visualization.radius_figure(record.train)
    stages = timeline_stages(record.config)
    if stages:
        figures['stages'] = visualization.stage_timeline_figure(stages, record.train)
    return figures
