"""The page of a plan: whole at any width, and in the words of the config."""

import re
from pathlib import Path

import pytest
from dry_plan import DIGITS, RELEASED, described, printed

from mmdrl.visualization.plan_rows import ROWS, in_short, stage_rows, wrapped


@pytest.mark.parametrize(
    'path', [DIGITS, RELEASED, 'configs/ce_r8_digits-lt.py', 'configs/digits_lt/lws_r8_digits-lt-ir50.py']
)
@pytest.mark.parametrize('width', [60, 80, 100, 140])
def test_page_cuts_nothing(path, width, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = described(path)
    page = printed(plan, Path(path).stem, width)
    assert max(map(len, page.splitlines())) <= width
    assert '…' not in page
    columns = [line.split('┃')[2:-1] for line in page.splitlines() if line.startswith('┃')]
    cells = [[cell.strip() for cell in re.split('[│]', line)[1:-1]] for line in page.splitlines() if line[:1] == '│']
    stages = plan['stages']
    if columns:
        assert [cell.strip() for cell in columns[0]] == [f'{n} {stage["name"]}' for n, stage in enumerate(stages, 1)]
    letters = ''.join(''.join(row[column] for row in cells if len(row) > column) for column in range(1, 5))
    for stage in stages:
        for text in stage_rows(stage, plan).values():
            assert re.sub(r'\s', '', text) in re.sub(r'\s', '', letters), text


def test_stages_stand_side_by_side_where_there_is_room():
    plan = described()
    assert '3 classifier' in printed(plan, 'run', 100).split('┃')[4]
    assert '┃' not in printed(plan, 'run', 80)


def test_what_all_stages_share_is_told_once():
    page = printed(described(), 'run', 100)
    assert page.count('momentum=0.9') == 1
    assert page.count('iterations') == 2  # in the headline, and for each stage in one row


@pytest.mark.parametrize('width', [10, 24, 80])
def test_wrapped_text_is_the_text(width):
    text = (
        'SGD(momentum=0.9, weight_decay=0.0005), paramwise_cfg=dict(custom_keys=dict(dr_loss.radius=dict(lr_mult=1)))'
    )
    lines = wrapped(text, width).split('\n')
    assert ''.join(lines).replace(' ', '') == text.replace(' ', '')
    assert max(map(len, lines)) <= max(width, len('custom_keys='))


def test_config_in_short_is_a_call():
    config = dict(
        type='mmdrl.DRLoss', radius=dict(type='mmdrl.CountRadius', scale=1.0), scope='class', layers=[1, None]
    )
    assert in_short(config) == "DRLoss(radius=CountRadius(scale=1), scope='class', layers=[1, None])"
    assert in_short(dict(type='CrossEntropyLoss', loss_weight=1.0)) == 'CrossEntropyLoss'
    assert in_short(dict(type='CrossEntropyLoss', loss_weight=0.5)) == 'CrossEntropyLoss(loss_weight=0.5)'


@pytest.mark.parametrize(
    ('rates', 'words'),
    [
        ((0.1, 0.1, 0.1, 0.1), '0.1'),
        ((0.1, 0.01, 0.1, 0.01), '0.1 to 0.01'),
        ((0.01, 0.1, 0.1, 0.01), '0.01 to 0.1'),
        ((0.01, 0.01, 0.1, 0.01), '0.01 to 0.01, at most 0.1'),
        ((0.02, 1e-5, 0.1, 1e-5), '0.02 to 1e-05, at most 0.1'),
        ((0.1, 0.01, 0.1, 0.001), '0.1 to 0.01, between 0.001 and 0.1'),
        ((0.1, 0.1, 0.1, 0.001), '0.1 to 0.1, between 0.001 and 0.1'),
        ((0.02, None, None, None), '0.02 to ?'),
        ((None, None, None, None), '?'),
    ],
)
def test_rates_in_words(rates, words):
    plan = described()
    stage = plan['stages'][0] | dict(lr=dict(zip(('first', 'last', 'highest', 'lowest'), rates, strict=True)))
    assert stage_rows(stage, plan)['learning rate'] == words


def test_rows_have_their_order():
    plan = described()
    for stage in plan['stages']:
        names = list(stage_rows(stage, plan))
        assert names == [name for name in ROWS if name in names]
