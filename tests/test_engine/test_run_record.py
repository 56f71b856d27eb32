"""What a run has left, read back: whole, resumed, broken off, damaged."""

import json
from pathlib import Path

import pytest
from command import tool
from digits_run import short_config, train
from run_folders import scalars, write_run

from mmdrl.engine.config import load_config
from mmdrl.engine.dumped_config import read_dumped
from mmdrl.engine.run_record import read_run, sort_out
from mmdrl.engine.training_log import read_log
from mmdrl.errors import DataError

METRICS = {'many': 90.0, 'few': 40.0, 'all': 70.0, 'ncm/all': 72.0}


def write_part(folder: Path, name: str, lines: list[dict] | str) -> Path:
    path = folder / name / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(lines if isinstance(lines, str) else ''.join(f'{json.dumps(line)}\n' for line in lines))
    return folder / name


@pytest.mark.host
def test_real_run_comes_back(tmp_path: Path) -> None:
    train(short_config(tmp_path / 'run'))
    record = read_run(tmp_path / 'run')
    assert record.is_finished
    assert record.notes == []
    assert (record.name, record.config_name) == ('run', 'drl_r8_digits-lt')
    assert record.stage_names == ['warm-up', 'feature', 'classifier']
    assert record.config.train_cfg.max_epochs == 5
    assert [entry['stage'] for entry in record.train] == ['warm-up'] * 2 + ['feature'] * 2 + ['classifier']
    assert [entry['epoch'] for entry in record.train] == [1, 2, 3, 4, 5]
    assert record.train[-1]['iter'] == record.results['iterations']
    assert all(entry['loss'] > 0 and entry['lr'] > 0 for entry in record.train)
    assert all('radius/mean' in entry for entry in record.train)
    last = record.val[-1]
    assert (last['epoch'], last['stage']) == (5, 'classifier')
    assert {key: last[key] for key in record.results['metrics']} == pytest.approx(record.results['metrics'])
    assert len(record.predictions['label']) == 500


def test_values_are_those_of_the_log(tmp_path: Path) -> None:
    record = read_run(write_run(tmp_path / 'run', METRICS))
    assert [entry['iter'] for entry in record.train] == [5, 10, 15, 20, 25, 30, 35, 40]
    assert [entry['loss'] for entry in record.train] == [2.0 / n for n in (5, 10, 15, 20, 25, 30, 35, 40)]
    assert [(entry['epoch'], entry['iter'], entry['stage']) for entry in record.val] == [
        (1, 10, 'feature'),
        (2, 20, 'feature'),
        (3, 30, 'feature'),
        (4, 40, 'classifier'),
    ]
    assert [entry['few'] for entry in record.val] == [10.0, 20.0, 30.0, 40.0]
    assert not any(key in entry for entry in record.val for key in ('time', 'data_time', 'step'))


@pytest.mark.parametrize('kept', [5, 6, 7, 9])
def test_resumed_part_holds_from_its_first_iteration_on(tmp_path: Path, kept: int) -> None:
    """Killed in or after the third epoch, resumed at its beginning: what was repeated stands there once, anew."""
    first, second = scalars(METRICS)[:kept], scalars({key: value + 8 for key, value in METRICS.items()})[6:]
    parts = [write_part(tmp_path, '1', first), write_part(tmp_path, '2', second)]
    train_entries, val, notes = read_log(parts)
    assert [entry['iter'] for entry in train_entries] == [5, 10, 15, 20, 25, 30, 35, 40]
    assert [entry['epoch'] for entry in val] == [1, 2, 3, 4][: len(val)] if kept > 5 else [1, 3, 4]
    assert [entry['few'] for entry in val][-2:] == [36.0, 48.0]
    assert notes == []


def test_validation_right_after_resuming_replaces_the_one_before(tmp_path: Path) -> None:
    lines = scalars(METRICS)
    parts = [write_part(tmp_path, '1', lines[:9]), write_part(tmp_path, '2', [lines[8] | dict(few=1.0), *lines[9:]])]
    _, val, _ = read_log(parts)
    assert [(entry['epoch'], entry['few']) for entry in val] == [(1, 10.0), (2, 20.0), (3, 1.0), (4, 40.0)]


def test_damaged_lines_are_skipped_and_told(tmp_path: Path) -> None:
    whole = scalars(METRICS)
    text = ''.join(f'{json.dumps(line)}\n' for line in whole)
    for damage in ('{"lr": 0.1, "it', '[1]', '{"loss": 1}', '{"iter": "x", "step": 1}'):
        part = write_part(tmp_path / damage.strip('{["'), 'part', text + damage)
        train_entries, val, notes = read_log([part])
        assert (len(train_entries), len(val)) == (8, 4)
        assert len(notes) == 1
        assert '1 damaged line of part/vis_data/scalars.json skipped' in notes[0]


def test_radii_join_the_entry_of_their_iteration_or_make_one(tmp_path: Path) -> None:
    lines = scalars(METRICS)[:6]
    lines[2:2] = [{'radius/mean': 0.5, 'step': 10}]
    lines[6:6] = [{'spread/mean': 0.25, 'step': 22}]  # an epoch whose last iterations were not logged
    train_entries, val, _ = read_log([write_part(tmp_path, 'part', lines)], ['feature'])
    assert [entry['iter'] for entry in train_entries] == [5, 10, 15, 20, 22]
    assert train_entries[1]['radius/mean'] == 0.5
    assert train_entries[1]['loss'] == 0.2
    assert train_entries[-1] == {'iter': 22, 'spread/mean': 0.25, 'epoch': 2, 'stage': 'feature'}
    assert [entry['epoch'] for entry in val] == [1, 2]


def test_hierarchical_names_lose_their_prefix_and_iterations_may_count_validations(tmp_path: Path) -> None:
    lines = [
        {'train/loss': 1.0, 'iter': 10, 'step': 10},
        {'val/few': 3.0, 'val/ncm/few': 4.0, 'step': 10},
        {'train/loss': 0.5, 'iter': 20, 'step': 20},
        {'val/few': 5.0, 'val/ncm/few': 6.0, 'step': 20},
    ]
    train_entries, val, _ = read_log([write_part(tmp_path, 'part', lines)], metrics_by_epoch=False)
    assert train_entries == [dict(loss=1.0, iter=10), dict(loss=0.5, iter=20)]
    assert val == [{'few': 3.0, 'ncm/few': 4.0, 'iter': 10}, {'few': 5.0, 'ncm/few': 6.0, 'iter': 20}]


def test_resumed_part_of_a_run_without_epochs_repeats_no_validation(tmp_path: Path) -> None:
    lines = [line for n in (10, 20, 30) for line in ({'loss': 1.0, 'iter': n, 'step': n}, {'few': n / 10, 'step': n})]
    again = [dict(lines[2], loss=9.0), dict(lines[3], few=9.0)]
    parts = [write_part(tmp_path, '1', lines), write_part(tmp_path, '2', again)]
    train_entries, val, _ = read_log(parts, metrics_by_epoch=False)
    assert [(entry['iter'], entry['loss']) for entry in train_entries] == [(10, 1.0), (20, 9.0)]
    assert val == [dict(few=1.0, iter=10), dict(few=9.0, iter=20)]


def test_run_that_has_not_ended_says_so(tmp_path: Path) -> None:
    record = read_run(write_run(tmp_path / 'run', METRICS, is_finished=False))
    assert not record.is_finished
    assert record.results == {}
    assert record.config_name == 'drl_small'
    assert record.val[-1]['few'] == 40.0
    assert any('has not ended' in note for note in record.notes)


def test_missing_log_and_config_and_damaged_predictions_are_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'run', METRICS)
    (folder / '20260101_000000/vis_data/scalars.json').unlink()
    (folder / '20260101_000000/vis_data/config.py').write_text('a = (')
    (folder / 'drl_small.py').unlink()
    (folder / 'predictions.npz').write_bytes(b'no archive')
    record = read_run(folder)
    assert (record.train, record.val, record.config, record.predictions) == ([], [], None, None)
    assert record.stage_names == ['feature', 'classifier']
    told = ' '.join(record.notes)
    assert 'no log of the run' in told
    assert 'cannot be read' in told
    assert 'predictions.npz' in told


def test_log_after_the_results_is_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path / 'run', METRICS)
    write_part(folder, '20270101_000000', scalars(METRICS)[:2])
    record = read_run(folder)
    assert len(record.train) == 8
    assert any('20270101_000000 was logged after the run had ended' in note for note in record.notes)


def test_no_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='found no folder'):
        read_run(tmp_path / 'nowhere')
    with pytest.raises(DataError, match='found neither'):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(stages=[1]), 'an object as stages'),
        (dict(stages={'feature': 3}), 'an object for each of the stages'),
        (dict(metrics={'few': '40'}), 'a number as few'),
        (dict(train_seconds='long'), 'a number as train_seconds'),
        (dict(class_counts=3), 'a list as class_counts'),
    ],
)
def test_results_of_another_kind_are_a_sentence(tmp_path: Path, change: dict, message: str) -> None:
    folder = write_run(tmp_path / 'run', METRICS)
    path = folder / 'results.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message):
        read_run(folder)


@pytest.mark.faults
@pytest.mark.parametrize(
    'code',
    [
        'raise SystemExit(3)',
        'open({touched!r}, "w")',
        'import os',
        'model = dict(type=open({touched!r}, "w"))',
        'model = dict(**dict(a=1))',
        'model = [x for x in ()]',
        'model.type = 1',
        "model = f'{{1}}'",
        "_base_ = './base.py'",
        'model = (',
        'model = ' + 2000 * '[' + 2000 * ']',
    ],
)
def test_config_of_a_run_is_read_and_not_run(tmp_path: Path, code: str) -> None:
    folder, touched = write_run(tmp_path / 'run', METRICS), tmp_path / 'touched'
    (folder / 'base.py').write_text(f'open({str(touched)!r}, "w")')
    next(folder.glob('drl*.py')).write_text(code.format(touched=str(touched)) if 'touched' in code else code)
    record = read_run(folder)
    assert record.config is None
    assert record.notes[0].startswith('Expected a config as MMEngine dumps it in ')
    assert not touched.exists()


@pytest.mark.parametrize('name', ['drl_r8_digits-lt', 'crt_r8_digits-lt'])
def test_dumped_config_has_the_values_of_the_one_that_was_run(tmp_path: Path, name: str) -> None:
    config = load_config(name)
    config.odd = {'a b': (1,), 2: [None, True, -1.5, float('inf')], 'text': 'a\'"\n\\{x}', 'e': {}}
    (tmp_path / 'x.py').write_text(config.dump())
    assert read_dumped(tmp_path / 'x.py').to_dict() == config.to_dict()


def test_what_lies_between_runs_is_left_out_and_told(tmp_path: Path) -> None:
    ended = write_run(tmp_path / 'ended', METRICS)
    broken_off = write_run(tmp_path / 'broken', METRICS, is_finished=False)
    other, missing = tmp_path / 'report', tmp_path / 'missing'
    other.mkdir()
    picture = tmp_path / 'comparison.png'
    picture.write_bytes(b'')
    given = [ended, broken_off, other, picture, missing]
    left_out = [f'{other}: no run, left out.', f'{picture}: no run, left out.']
    assert sort_out(given) == ([ended, broken_off, missing], left_out)  # what is missing is a mistake
    unfinished = f'{broken_off}: a run that has not ended, left out.'
    assert sort_out(given, only_ended=True) == ([ended, missing], [unfinished, *left_out])
    assert sort_out([other, picture]) == ([other, picture], [])  # to be told by whoever reads them


def test_comparison_of_all_in_a_folder_goes_on_after_a_report(tmp_path: Path) -> None:
    write_run(tmp_path / 'work_dirs/one', METRICS)
    (tmp_path / 'work_dirs/report').mkdir()
    done = tool('analysis/compare_runs', 'work_dirs/one', 'work_dirs/report', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'work_dirs/report: no run, left out.' in done.stdout
    assert 'Figure: work_dirs/comparison.png' in done.stdout
