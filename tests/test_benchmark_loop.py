"""The benchmarks of loop, trace and start: that they measure what they say; no time is asserted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import ROOT, benchmark
from mmengine.config import Config

NEW = """
import sys
import mmpretrain.models, mmpretrain.datasets
before = set(sys.modules)
import mmdrl.engine.config, mmdrl.engine.run, mmdrl.utils
mmdrl.utils.register_all_modules(init_default_scope=False)
from mmdrl.registry import DATASETS
assert len(DATASETS.build(dict(type='mmdrl.Digits'))) == 1797
print(*{name.partition('.')[0] for name in set(sys.modules) - before})
"""


def test_loop_has_a_case_for_each_part_and_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = benchmark('loop')
    runtime = Config.fromfile(ROOT / 'configs/_base_/default_runtime.py')
    args = loop.parse_args(['--iterations', '3', '--rounds', '2', '--parts', '5', '--out', str(tmp_path / 'loop.json')])
    ran: dict[str, list[str]] = {}
    build = loop.build

    def noting(name: str, *others: Any) -> Any:
        runner = build(name, *others)
        ran[name] = [type(hook).__name__ for hook in runner.hooks]
        return runner

    monkeypatch.setattr(loop, 'build', noting)
    loop.main(args)
    result = json.loads((tmp_path / 'loop.json').read_text())
    rows = {row['case']: row for row in result['rows']}
    own = [hook['type'].removeprefix('mmdrl.') for hook in runtime.default_hooks.values() if 'mmdrl.' in hook['type']]
    assert set(rows) == {'MMEngine alone', 'the loop', 'the log processor', *own, 'all hooks', loop.ALL}
    for name in own:
        assert name in ran[name]
        assert name in ran['all hooks']
        assert not set(ran['MMEngine alone']) & {name} - {'RuntimeInfoHook'}
    bare = rows['MMEngine alone']['milliseconds']['median']
    for row in rows.values():
        assert row['adds']['median'] == pytest.approx(row['milliseconds']['median'] - bare)
    goal = result['goals'][0]
    assert goal['met'] == (max(goal['found'].values()) <= goal['at_most'])


def test_trace_charges_every_moment_of_a_step_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = benchmark('run_trace')
    now = [0.0]
    monkeypatch.setattr(trace.time, 'perf_counter', lambda: now[0])

    def take(seconds: float) -> None:
        now[0] += seconds

    clock = trace.Clock('cpu')
    inner = clock.timed('inner', lambda: take(2))

    def outer() -> None:
        take(1)
        inner()
        take(4)

    take(8)
    clock.timed('outer', outer)()
    clock.end_step()
    inner()
    clock.end_step()
    assert clock.steps == [{trace.REST: 8, 'outer': 5, 'inner': 2}, {trace.REST: 0, 'inner': 2}]


def test_trace_of_a_real_run_names_its_parts(tmp_path: Path) -> None:
    trace = benchmark('run_trace')
    args = trace.parse_args(['--steps', '3', '--warm-up', '1', '--cfg-options', 'log_level=ERROR'])
    steps = trace.trace(trace.settings(args, str(tmp_path)), args.steps, args.warm_up, 'cpu')
    parts = {row['part'] for row in trace.summary(steps)}
    assert len(steps) == 3
    assert parts >= {'data', 'preprocess', 'forward', 'forward of the head', 'backward', 'optimiser', trace.REST}
    assert parts >= {'CentroidHook', 'NonFiniteHook', 'PreemptionHook', 'LoggerHook'}
    assert sum(row['share'] for row in trace.summary(steps)) == pytest.approx(1)


def test_epoch_asks_for_the_released_code(tmp_path: Path) -> None:
    epoch = benchmark('epoch')
    with pytest.raises(SystemExit, match=r'expected main\.py'), epoch.released_code(tmp_path, 'cpu'):
        pass
    with pytest.raises(SystemExit):
        epoch.parse_args(['--released', str(tmp_path), '--largest', '4'])


def test_quick_looks_leave_the_committed_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('loop', 'startup', 'epoch', 'scaling'):
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', '--quick', *['--released', '.'] * (name == 'epoch')])
        assert benchmark(name).parse_args().out is None
    monkeypatch.setattr(sys, 'argv', ['scaling.py', '--plot'])
    assert benchmark('scaling').parse_args().out == ROOT / 'benchmarks/results/scaling_cpu.json'


def test_goal_of_the_loop_is_the_larger_of_median_and_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, goals = benchmark('loop'), benchmark('goals')
    # Half of the iterations take no longer than without hooks.
    monkeypatch.setattr(loop, 'times', lambda args: {'MMEngine alone': [1.0] * 9, 'all hooks': [1.0] * 5 + [1.9] * 4})
    loop.main(loop.parse_args(['--out', str(tmp_path / 'loop_cpu.json')]))
    goal = next(goal for goal in goals.GOALS if goal.benchmark == 'loop')
    assert goal.number(tmp_path) == pytest.approx(0.4)
    assert goal.verdict(goal.number(tmp_path)) == 'not met'


def test_help_of_the_tools_imports_nothing_heavy() -> None:
    for tool in benchmark('startup').TOOLS:
        command = [sys.executable, '-X', 'importtime', str(ROOT / f'tools/{tool}.py'), '-h']
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        imported = {line.rpartition('|')[2].strip().partition('.')[0] for line in done.stderr.splitlines()}
        assert 'argparse' in imported
        assert not imported & {'torch', 'numpy', 'mmengine', 'mmpretrain', 'mmdrl', 'rich', 'yapf'}, tool


def test_training_imports_nothing_heavy_beside_the_host() -> None:
    command = [sys.executable, '-W', 'ignore', '-c', NEW]
    imported = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert 'mmdrl' in imported
    assert not imported & {'sklearn', 'scipy', 'matplotlib', 'pandas', 'tabulate', 'onnx', 'tensorboard'}
