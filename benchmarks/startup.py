"""How long a command takes until it trains, against what importing MMPretrain takes alone.

``python benchmarks/startup.py`` starts every command anew, by turns: ``import mmpretrain`` with and without mmdrl, the
help of the tools, and ``tools/train.py`` on the digits until its first iteration is done, when the process ends itself
and writes what its time went to. ``--train`` takes another config.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import medians, spread, turns, write_result
from rich.console import Console
from rich.table import Table

from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]
BARE = 'import mmpretrain.models, mmpretrain.datasets'
DIGITS = ROOT / 'configs/drl_r8_digits-lt.py'
TOOLS = ('train', 'test', 'predict', 'export', 'publish_model', 'prepare_data', 'analysis/report')
# What tools/train.py does, which ends after the first iteration; it prints when it got where, in seconds.
UNTIL_FIRST = """
import json, os, runpy, sys, time
begin = time.perf_counter()
marks = {}
def reach(name):
    marks.setdefault(name, time.perf_counter() - begin)
import mmpretrain.models, mmpretrain.datasets
reach('import MMPretrain')
import mmdrl.utils, mmdrl.engine.run
mmdrl.utils.register_all_modules(init_default_scope=False)
reach('import mmdrl')
from mmengine.runner import Runner
build, call = Runner.from_cfg.__func__, Runner.call_hook
def from_cfg(kind, cfg):
    reach('read and check the config')
    runner = build(kind, cfg)
    reach('build the runner')
    return runner
def call_hook(runner, name, **others):
    if name == 'before_run':
        reach('read the data, build loops and optimiser')
    if name == 'before_train_iter':
        reach('hooks before training, first batch')
    call(runner, name, **others)
    if name == 'after_train_iter':
        reach('first iteration')
        with open(told, 'w') as file:
            json.dump(marks, file)
        os._exit(0)
Runner.from_cfg, Runner.call_hook = classmethod(from_cfg), call_hook
told, *sys.argv = sys.argv[1:]
script = sys.argv[0]
sys.path.insert(0, os.path.dirname(script))
runpy.run_path(script, run_name='__main__')
"""


def run(*command: object, cwd: str | None = None) -> None:
    """Run to the end.

    Raises:
        SystemExit: If it fails, with what it said.
    """
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        raise SystemExit(f'error: {" ".join(map(str, command))} failed:\n{done.stderr[-2000:]}')


def first_iteration(arguments: list[str], parts: list[dict[str, float]]) -> None:
    """Train until the first iteration is done, and note what took how long."""
    with tempfile.TemporaryDirectory() as folder:
        marks = Path(folder, 'marks')
        command = [sys.executable, '-W', 'ignore', '-c', UNTIL_FIRST, marks, ROOT / 'tools/train.py', *arguments]
        run(*command, cwd=folder)
        if not marks.is_file():
            raise SystemExit(f'error: {" ".join(arguments)} ended before its first iteration.')
        reached: dict[str, float] = json.loads(marks.read_text())
    before = [0.0, *reached.values()]
    parts.append({name: moment - since for (name, moment), since in zip(reached.items(), before, strict=False)})


def cases(args: argparse.Namespace, parts: list[dict[str, float]]) -> dict[str, Callable[[], None]]:
    """What is started, by name."""

    def importing(what: str) -> Callable[[], None]:
        # Ends like the first iteration: taking all down again would be charged to one side alone.
        return lambda: run(sys.executable, '-W', 'ignore', '-c', f'{what}\nimport os\nos._exit(0)')

    def asking(tool: str) -> Callable[[], None]:
        return lambda: run(sys.executable, '-W', 'ignore', ROOT / f'tools/{tool}.py', '-h')

    device = ['--gpus', '0'] if args.device == 'cpu' else ['--gpus', '1']
    return {
        BARE: importing(BARE),
        'import mmpretrain': importing('import mmpretrain'),
        'import mmpretrain, mmdrl': importing('import mmpretrain, mmdrl'),
        **{f'tools/{tool}.py -h': asking(tool) for tool in TOOLS},
        'first iteration': lambda: first_iteration([str(args.train), *device], parts),
    }


def goals(seconds: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """What is wanted, and whether it is so."""
    median = {name: values['median'] for name, values in seconds.items()}
    found = [
        (
            'seconds that mmdrl adds to import mmpretrain',
            0.3,
            median['import mmpretrain, mmdrl'] - median['import mmpretrain'],
        ),
        ('seconds of the slowest -h', 0.5, max(value for name, value in median.items() if name.endswith('-h'))),
        (f'seconds to the first iteration beyond {BARE}', 5.0, median['first iteration'] - median[BARE]),
    ]
    return [dict(what=what, at_most=most, found=round(value, 3), met=value <= most) for what, most, value in found]


def quick() -> dict[str, float]:
    """The first iteration against the bare import."""
    args = parse_args([])
    wanted = cases(args, [])
    seconds = medians({name: wanted[name] for name in (BARE, 'first iteration')}, rounds=1, warm_up=0)
    return {'first iteration / bare import': seconds['first iteration'] / seconds[BARE]}


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    parts: list[dict[str, float]] = []
    times = turns(cases(args, parts), args.rounds)
    seconds = {name: spread(values) for name, values in times.items()}
    table = Table('', 'seconds', 'quartiles', 'of the bare import')
    for name, values in seconds.items():
        share = f'{values["median"] / seconds[BARE]["median"]:.2f}'
        table.add_row(name, f'{values["median"]:.2f}', f'{values["low"]:.2f} to {values["high"]:.2f}', share)
    inside = {name: spread([part[name] for part in parts[1:]]) for name in parts[0]}
    ways = Table('until the first iteration', 'seconds', 'quartiles')
    for name, values in inside.items():
        ways.add_row(name, f'{values["median"]:.2f}', f'{values["low"]:.2f} to {values["high"]:.2f}')
    console = Console(width=120)
    console.print(table)
    console.print(ways)
    wanted = goals(seconds)
    for goal in wanted:
        print(f'{goal["what"]}: {goal["found"]:.2f}, wanted at most {goal["at_most"]}')
    rows = [dict(case=name, seconds=values) for name, values in seconds.items()]
    result = dict(machine=describe_environment(), rounds=args.rounds, rows=rows, first_iteration=inside, goals=wanted)
    write_result(args.out, result)


def parse_args(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu', help='to train on (default: cpu)')
    parser.add_argument('--train', type=Path, default=DIGITS, help='config (default: the digits)')
    parser.add_argument('--rounds', type=int, default=5, help='starts of each (default: %(default)s)')
    parser.add_argument('--quick', action='store_true', help='one start of each; writes nothing without --out')
    parser.add_argument('--out', type=Path, help='(default: benchmarks/results/startup_<device>.json)')
    args = parser.parse_args(arguments)
    args.train = args.train.resolve()
    if args.quick:
        args.rounds = 1
    elif args.out is None:
        args.out = ROOT / f'benchmarks/results/startup_{args.device}.json'
    return args


if __name__ == '__main__':
    main(parse_args())
