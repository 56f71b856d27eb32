"""Tables stay readable on a narrow terminal, and call the rows by what they are."""

import io
import math

import pytest
from rich.console import Console

from mmdrl.visualization import accuracy_table
from mmdrl.visualization.result_tables import print_results
from mmdrl.visualization.tables import measure_table

SHOTS = dict(many=100.0, medium=99.9, few=83.6, all=91.8)
METRICS: dict[str, float | None] = {
    **SHOTS,
    **{f'ncm/{name}': value - 40 for name, value in SHOTS.items()},
    **dict(balanced=91.7, macro_f1=91.5, worst_class=64.1, head_tail_gap=16.4),
    **{'ncm/balanced': 51.7, 'ncm/macro_f1': 51.5, 'ncm/worst_class': 24.1, 'ncm/head_tail_gap': 56.4},
    **dict(ece=4.3, mce=37.4, brier=0.1234, ece_many=0.7, ece_medium=math.nan, ece_few=77.7),
    **dict(time=0.123, data_time=0.321),
}


def printed(width: int, *args, **settings) -> str:
    out = io.StringIO()
    print_results(*args, console=Console(file=out, width=width, highlight=False), **settings)
    return out.getvalue()


def test_long_names_give_way_and_numbers_do_not() -> None:
    row = dict(many=100.0, medium=99.9, few=83.6, all=91.8)
    names = [f'lr_search_optim_wrapper.optimizer.lr_{rate}, nearest class mean' for rate in (0.1, 0.05)]
    console = Console(width=60, record=True, highlight=False)
    console.print(accuracy_table(dict.fromkeys(names, row)))
    text = console.export_text()
    assert [text.count(number) for number in ('100.0', '99.9', '83.6', '91.8')] == [2] * 4
    assert 'medium' in text
    assert '\u2026' not in text


def test_five_columns_fit_forty_letters() -> None:
    columns = ('many', 'medium', 'few', 'all', 'mean')
    console = Console(width=40, record=True, highlight=False)
    rows = {'logit-adjustment 1.1 *': dict(zip(columns, (100.0, 99.3, 92.4, 96.1, 97.2), strict=True))}
    console.print(accuracy_table(rows, '', columns, 40))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 40
    assert '100.0   99.3  92.4  96.1  97.2' in text
    assert all(column in text for column in columns)


@pytest.mark.parametrize('width', [40, 60, 80, 120, 10_000])
def test_results_fit_the_terminal_and_show_every_number(width: int) -> None:
    stages = {'warm-up': SHOTS, 'classifier': METRICS}
    text = printed(width, METRICS, 'run', 'cosine', stages)
    assert max(map(len, text.splitlines())) <= width
    for number in ('100.0', '99.9', '43.6', '91.7', '51.5', '64.1', '56.4', '4.3', '37.4', '0.123'):
        assert number in text
    assert '\u2026' not in text
    for other in ('77.7', '0.321', 'linear'):  # calibration of groups and times are elsewhere
        assert other not in text


def test_stages_have_rows_in_order_and_the_names_of_their_classifiers() -> None:
    stages = {'first': SHOTS, 'second': {**SHOTS, 'ncm/all': 50.0}}
    text = printed(80, SHOTS, 'run', 'cosine', stages, {'first': 'linear', 'second': 'cosine'})
    rows = [line.split('│')[1].strip() for line in text.splitlines() if line.startswith('│')]
    assert rows == ['first: linear', 'second: cosine', 'second: ncm']


def test_run_of_one_stage_has_its_last_validation() -> None:
    text = printed(80, SHOTS, 'run', 'LWS', {'only': SHOTS})
    assert 'LWS' in text
    assert 'only' not in text


def test_measures_of_other_metrics_are_told_below() -> None:
    text = printed(80, {'accuracy/top1': 12.5, 'time': 1.0}, 'run')
    assert text == 'accuracy/top1: 12.5\n'


@pytest.mark.parametrize('width', [40, 200])
def test_unknown_measures_are_dashes_in_both_directions(width: int) -> None:
    table = measure_table({'linear': dict(ece=math.nan, brier=0.5), 'ncm': dict(balanced=None)}, width=width)
    assert table is not None
    console = Console(width=width, record=True, highlight=False)
    console.print(table)
    cells = [line.split('│')[1:-1] for line in console.export_text().splitlines() if line.startswith('│')]
    texts = [[cell.strip() for cell in row] for row in cells]
    by_row = {row[0]: row[1:] for row in texts}
    if width == 40:
        assert by_row == {'balanced': ['-', '-'], 'ECE': ['-', '-'], 'Brier': ['0.500', '-']}
    else:
        assert by_row == {'linear': ['-', '-', '0.500'], 'ncm': ['-', '-', '-']}


def test_no_measures_no_table() -> None:
    assert measure_table({'linear': SHOTS}) is None
