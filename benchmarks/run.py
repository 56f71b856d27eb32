"""All benchmarks of speed, each in a process of its own, against their goals; or a quick look at what has moved.

``python benchmarks/run.py`` takes half an hour, leaves today's result files in ``work_dirs/benchmarks`` and prints them
beside the committed ones; ``--device cuda`` fills the rows of a GPU. ``--quick`` takes under 90 seconds on two cores:
each benchmark measures a few ratios on small inputs, and those are marked that lie outside what five such looks found
when they were recorded (``--record 5``). Both inform: whatever comes out, even a benchmark that breaks, the exit status
is 0.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from goals import BENCHMARKS, GOALS, RESULTS, Goal
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
WATCH = RESULTS / 'watch_cpu.json'
RELEASED = dict(loss='losses.py', samplers='ClassAwareSampler.py', epoch='')  # what of the authors' code they take
NEEDS_RELEASED = ('epoch',)  # and the others only compare with it
CPU_ONLY = ('samplers', 'lists', 'checkpoints', 'distributed')


def of_goal(goal: Goal, today: Path) -> list[str]:
    """Cells of one row: what, goal, today, committed, verdict on the newer of them."""
    new, old = goal.number(today), goal.number()
    verdict = goal.verdict(old if new is None else new)
    if verdict == 'open':
        verdict = f'open: {goal.command}'
    cells = ['-' if number is None else f'{number:.3g}' for number in (new, old)]
    return [goal.what, f'{goal.sign} {goal.target:g}', *cells, verdict]


def run_one(name: str, args: argparse.Namespace) -> str:
    """What is to be said of one benchmark, empty if it ended well."""
    script = HERE / f'{name}.py'
    if not script.is_file():
        return f'{name}: there is no such benchmark'
    if name in NEEDS_RELEASED and not args.released:
        return f"{name}: needs --released, the folder of the authors' code"
    out = args.out / f'{name}_{args.device}.json'
    out.unlink(missing_ok=True)  # what was found another day is not today's, should this break
    command = [sys.executable, '-W', 'ignore', str(script), '--out', str(out)]
    if args.device != 'cpu':
        command += ['--device', args.device]
    if name in RELEASED and args.released:
        found = next(iter(sorted(args.released.rglob(RELEASED[name]))), None) if RELEASED[name] else args.released
        command += ['--released', str(found)] if found else []
    status = subprocess.run(command).returncode
    return f'{name}: broke with exit status {status}' if status else ''


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', nargs='+', choices=BENCHMARKS, default=list(BENCHMARKS), help='which (default: all)')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='default: %(default)s')
    parser.add_argument('--quick', action='store_true', help='ratios of small inputs, against those recorded')
    parser.add_argument('--record', type=int, metavar='TIMES', help='take the quick look so often and write it down')
    parser.add_argument('--released', type=Path, help="folder of the authors' code, for those that compare with it")
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/benchmarks'), help="today's result files (default: %(default)s)"
    )
    parser.add_argument('--watch', type=Path, default=WATCH, help='where looks are recorded (default: %(default)s)')
    args = parser.parse_args()
    if args.record is not None and args.record < 2:
        parser.error(f'expected --record of 2 or more, got {args.record}: one look has no spread.')
    return args


def main(args: argparse.Namespace) -> None:
    """Run and print."""
    if args.quick or args.record:
        from watch import look, record

        if args.record:
            record(args.only, args.record, args.watch, released=args.released)
        else:
            look(args.only, args.watch, released=args.released)
        return
    names = [name for name in args.only if args.device == 'cpu' or name not in CPU_ONLY]
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    said = [run_one(name, args) for name in names]
    table = Table('', 'goal', 'today', 'committed', '', title='Goals')
    for goal in GOALS:
        if goal.benchmark in args.only:
            table.add_row(*of_goal(goal, args.out))
    Console(width=140).print(table)
    for sentence in filter(None, said):
        print(sentence)


if __name__ == '__main__':
    main(parse_args())
