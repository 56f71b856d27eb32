"""Goals with their verdicts, and the watch: what has moved is marked, what breaks is said, nothing fails."""

import argparse
import json
from pathlib import Path
from types import ModuleType

import pytest
from command import benchmark

FAKES = {
    'good': 'def quick():\n    return dict(ratio=2.0)\n',
    'none': '',
    'broken': 'def quick():\n    raise ValueError("no disk")\n',
    'authors': 'def quick(released):\n    print("words")\n    return dict(files=len(list(released.iterdir())))\n',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / 'benchmarks'
    path.mkdir()
    for name, text in FAKES.items():
        (path / f'{name}.py').write_text(text)
    return path


@pytest.fixture
def watch() -> ModuleType:
    return benchmark('watch')


def goal(*path: object, sign: str = '<=', target: float = 1.1) -> object:
    return benchmark('goals').Goal('a ratio', 'case', path, sign, target)


@pytest.mark.parametrize(
    ('path', 'number'),
    [
        (('ratios', 'a'), 1.05),
        (('rows', 1, 'ratio'), 2.0),
        (('rows', dict(steps='flip', workers=2), 'ratio'), 3.0),
        (('rows', dict(steps='flip', workers=2), 'adds'), 0.4),  # the larger of mean and median
        (('rows', dict(steps='crop'), 'ratio'), None),
        (('nowhere',), None),
        (('words',), None),
    ],
)
def test_number_of_a_goal_is_found_or_open(tmp_path: Path, path: tuple, number: float | None) -> None:
    rows = [dict(steps='flip', workers=0, ratio=1), dict(steps='x', ratio=dict(median=2.0, low=1, high=9))]
    rows += [dict(steps='flip', workers=2, ratio=dict(median=3, low=2, high=4), adds=dict(median=0.1, mean=0.4))]
    (tmp_path / 'case_cpu.json').write_text(json.dumps(dict(ratios=dict(a=1.05), rows=rows, words='many')))
    assert goal(*path).number(tmp_path) == number


def test_verdict_is_that_of_the_bound() -> None:
    assert [goal().verdict(number) for number in (1.1, 1.2, None)] == ['met', 'not met', 'open']
    at_least = goal(sign='>=', target=10)
    assert [at_least.verdict(number) for number in (10.0, 9.9)] == ['met', 'not met']


def test_every_goal_finds_its_number_where_there_is_a_result_file() -> None:
    goals = benchmark('goals')
    for each in goals.GOALS:
        assert each.benchmark in goals.BENCHMARKS
        assert (each.number() is None) == (not (goals.RESULTS / each.file).is_file()), each


@pytest.mark.parametrize(
    ('value', 'moved'), [(2.0, False), (2.29, False), (2.31, True), (1.71, False), (1.69, True), (float('nan'), True)]
)
def test_ratio_has_moved_if_it_is_further_off_than_looks_are_apart(
    watch: ModuleType, value: float, moved: bool
) -> None:
    assert watch.has_moved(value, [1.9, 2.0, 2.1]) == moved


def test_ratios_that_were_all_the_same_may_differ_by_a_tenth(watch: ModuleType) -> None:
    assert [watch.has_moved(value, [4.0, 4.0]) for value in (4.39, 3.61, 4.5, 3.5)] == [False, False, True, True]


def test_look_marks_what_has_moved_and_says_why_there_is_nothing(
    watch: ModuleType, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    recorded = tmp_path / 'watch.json'
    names = [*FAKES, 'absent']
    watch.record(['good', 'authors'], 2, recorded, folder, released=folder)
    assert json.loads(recorded.read_text())['ratios']['good: ratio'] == [2.0, 2.0]
    capsys.readouterr()
    watch.look(names, recorded, folder)
    said = capsys.readouterr().out
    assert 'MOVED' not in said
    for words in ('no quick look', 'exit status 1: ValueError: no disk', 'needs --released', 'no such benchmark'):
        assert words in said
    (folder / 'good.py').write_text(
        FAKES['good'].replace('2.0', '3.00')
    )  # longer: of equal length Python may run the old
    watch.look(['good'], recorded, folder)
    assert 'MOVED, +50%' in capsys.readouterr().out


def test_recording_some_keeps_what_is_known_of_the_others(watch: ModuleType, folder: Path, tmp_path: Path) -> None:
    recorded = tmp_path / 'watch.json'
    recorded.write_text(json.dumps(dict(ratios={'other: a': [1.0, 1.0], 'good: gone': [1.0, 1.0]})))
    watch.record(['good'], 2, recorded, folder)
    assert set(json.loads(recorded.read_text())['ratios']) == {'other: a', 'good: ratio'}
    (folder / 'good.py').write_text(FAKES['broken'])
    watch.record(['good'], 2, recorded, folder)
    assert set(json.loads(recorded.read_text())['ratios']) == {'other: a', 'good: ratio'}


def test_benchmark_that_breaks_is_named_and_the_others_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run = benchmark('run')
    (folder / 'lists.py').write_text('import sys\nprint(sys.argv)\nsys.exit(3)\n')
    (folder / 'scaling.py').write_text(
        'import json, sys, pathlib\n'
        'out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])\n'
        'out.write_text(json.dumps(dict(ratios=dict(worst_excess=0.125))))\n'
    )
    monkeypatch.setattr(run, 'HERE', folder)
    (folder / 'epoch.py').write_text('raise SystemExit(2)\n')
    (folder / 'loop.py').write_text('raise SystemExit(1)\n')
    (tmp_path / 'today').mkdir()
    (tmp_path / 'today/loop_cpu.json').write_text(json.dumps(dict(goals=[dict(found=0.0123)])))  # of another day
    args = dict(only=['lists', 'scaling', 'absent', 'epoch', 'loop'], device='cpu', quick=False, record=None)
    run.main(argparse.Namespace(**args, released=None, out=tmp_path / 'today'))
    said = capsys.readouterr().out
    assert '0.0123' not in said
    assert 'epoch: needs --released' in said
    assert 'lists: broke with exit status 3' in said
    assert 'absent: there is no such benchmark' in said
    assert '0.125' in said
    assert 'open: python benchmarks/scaling.py --device cuda' in ' '.join(said.replace('│', ' ').split())


def test_quick_look_of_a_benchmark_is_ratios() -> None:
    found = benchmark('checkpoints').quick()
    assert list(found) == ['whole or not at all / plain']
    assert all(value > 0 for value in found.values())
