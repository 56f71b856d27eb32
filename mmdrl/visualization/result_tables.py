"""Prints what an evaluation, or a run with its stages, has come to."""

from collections.abc import Mapping

from rich.console import Console

from .bars import result_console
from .tables import COLUMNS, MEASURES, accuracy_table, by_classifier, measure_table, measures_by_classifier

Metrics = Mapping[str, float | None]
_TIMES = ('time', 'data_time')


def print_results(
    metrics: Metrics,
    title: str,
    classifier: str = 'linear',
    stages: Mapping[str, Metrics] | None = None,
    stage_classifiers: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> None:
    """Print tables of the accuracy by shot groups and of the other measures; what is in neither below them.

    Args:
        metrics: Of the last evaluation, flat: ``'few'``, ``'ncm/few'``, ``'ece'``.
        title: Written above.
        classifier: What the rows of ``linear`` are called: the rule that the model predicts with.
        stages: Measures at the end of each stage, by its name. Given more than one, each has rows of its own.
        stage_classifiers: The rules of the stages, where they are known.
        console: Where to print. Not given: standard output.
    """
    console = console or result_console()
    rows = _named(by_classifier(metrics), classifier)
    if stages and len(stages) > 1:
        names = {stage: (stage_classifiers or {}).get(stage, classifier) for stage in stages}
        rows = {
            f'{stage}: {name}': row
            for stage, values in stages.items()
            for name, row in _named(by_classifier(values), names[stage]).items()
        }
    if rows:
        console.print(accuracy_table(rows, title, width=console.width))
    measures = _named(measures_by_classifier(metrics), classifier)
    table = measure_table(measures, '' if rows else title, console.width)
    if table is not None:
        console.print(table)
    for key, value in metrics.items():
        name = key.rpartition('/')[2]
        is_shown = name in (*COLUMNS, *MEASURES, *_TIMES) or name.startswith(('ece_', 'mce_', 'brier_'))
        if not is_shown and isinstance(value, (int, float)):
            console.print(f'{key}: {value:.4g}', soft_wrap=True, markup=False)


def _named(rows: Mapping[str, Metrics], classifier: str) -> dict[str, Metrics]:
    return {classifier if name == 'linear' else name: row for name, row in rows.items()}
