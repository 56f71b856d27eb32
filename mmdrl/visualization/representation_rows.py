"""Which measures of a representation are shown, in which order, and what they are called."""

from collections.abc import Mapping
from typing import Any, NamedTuple

GROUPS = ('many', 'medium', 'few', 'all')
PREDICTORS = {
    'model': 'as the model predicts',
    'ncm': 'nearest class mean',
    'knn': 'k nearest neighbours',
    'knn_balanced': 'kNN, votes by class size',
}
OF_CLASSES = {
    'spread_test': 'spread of held-out images',
    'spread_train': 'spread of training images',
    'centroid_error': 'centroid error',
    'expected_error': '... expected of sampling',
    'error_to_expected': '... over expected',
    'error_to_spread': '... over spread',
    'error_to_nearest': '... over nearest centroid',
    'radius': 'radius',
    'in_ball': 'error within radius (% of classes)',
}
OF_SPACE = {
    'within': 'spread within classes',
    'between': 'spread between classes',
    'within_to_between': 'within over between',
    'effective_rank': 'effective rank of features',
    'effective_rank_means': 'effective rank of class means',
}
OF_COLLAPSE = {
    'nc1': 'NC1 variability within classes',
    'nc2_norms': 'NC2 unequal lengths of means',
    'nc2_angles': 'NC2 unequal angles',
    'nc2_simplex': 'NC2 distance from the simplex',
    'nc2_weight_norms': 'NC2 unequal lengths of weights',
    'nc3': 'NC3 weights against means',
    'nc4': 'NC4 model against nearest mean (%)',
}


class Row(NamedTuple):
    """A line of a table.

    Attributes:
        name: Of the measure.
        part: Group of classes, ``'trend'`` (rank correlation with class size), or set of images.
        values: One per model, in order; ``None`` where there is none.
    """

    name: str
    part: str
    values: list[float | None]


def representation_rows(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Row]]:
    """Rows of each table, by its title; rows without a single value are left out.

    Args:
        reports: Of :func:`mmdrl.engine.representation.representation_report`, by the name of the model.
    """
    parts = {part: part for part in GROUPS}
    tables = {
        'Accuracy (%)': [
            Row(name, part, [report['accuracy'].get(key, {}).get(part) for report in reports.values()])
            for key, name in PREDICTORS.items()
            for part in parts
        ],
        'Classes': [
            Row(name, shown, [report['classes'].get(key, {}).get(part) for report in reports.values()])
            for key, name in OF_CLASSES.items()
            for part, shown in {**parts, 'rank_correlation': 'trend'}.items()
        ],
        'Space': [
            Row(name, shown, [report['overall'].get(f'{key}_{part}') for report in reports.values()])
            for key, name in OF_SPACE.items()
            for part, shown in (('train', 'training'), ('test', 'held-out'))
        ]
        + [
            Row(name, shown, [report['collapse'].get(part, {}).get(key) for report in reports.values()])
            for key, name in OF_COLLAPSE.items()
            for part, shown in (('train', 'training'), ('test', 'held-out'))
        ],
    }
    return {title: [row for row in rows if any(v is not None for v in row.values)] for title, rows in tables.items()}
