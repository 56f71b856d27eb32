"""The table of docs/representation.md holds the numbers of its result file."""

import json
import re

import pytest
from command import ROOT

PAGE = (ROOT / 'docs/representation.md').read_text(encoding='utf-8')
RESULTS = json.loads((ROOT / 'benchmarks/results/digits_representation.json').read_text())
LABELS = {'`ce`': 'ce', '`drl-linear`': 'drl-linear', '`crt`': 'crt', '`drl`': 'drl'}
COLUMNS = (
    'NCM few',
    'error/spread few',
    'error/nearest few',
    'error/expected many',
    'error/expected few',
    'within/between train',
    'within/between test',
)


def values(method: str, column: str) -> list[float]:
    return [
        run['metrics'][column]
        for run in sorted(RESULTS['runs'], key=lambda run: run['seed'])
        if run['method'] == method
    ]


@pytest.mark.parametrize('label', LABELS)
def test_row_holds_the_means_of_the_runs(label: str) -> None:
    row = re.search(rf'^\| [^|]*\({label}\) \|(.*)\|$', PAGE, re.MULTILINE)
    means = [float(cell.split('±')[0]) for cell in row[1].split('|')]
    for mean, column in zip(means, COLUMNS, strict=True):
        runs = values(LABELS[label], column)
        assert mean == pytest.approx(sum(runs) / len(runs), abs=0.0501)


@pytest.mark.parametrize(
    ('label', 'one', 'other'), [('`drl-linear` - `ce`', 'drl-linear', 'ce'), ('`drl` - `crt`', 'drl', 'crt')]
)
def test_difference_is_that_of_paired_runs(label: str, one: str, other: str) -> None:
    row = re.search(rf'^\| {label} \|(.*)\|$', PAGE, re.MULTILINE)
    for cell, column in zip(row[1].split('|'), COLUMNS, strict=True):
        pairs = [a - b for a, b in zip(values(one, column), values(other, column), strict=True)]
        mean = sum(pairs) / len(pairs)
        error = (sum((pair - mean) ** 2 for pair in pairs) / (len(pairs) - 1) / len(pairs)) ** 0.5
        told_mean, told_error = map(float, cell.split('±'))
        assert told_mean == pytest.approx(mean, abs=0.0501)
        assert told_error == pytest.approx(error, abs=0.0501)


def test_share_of_balls_is_that_of_the_runs() -> None:
    inside = [run['in_ball'] for run in RESULTS['runs'] if run['in_ball'] is not None]
    outside, cases = (int(number) for number in re.search(r'in (\d+) of (\d+) cases', PAGE).groups())
    assert cases == 10 * len(inside)
    assert outside == cases - round(sum(inside) / 10)
