"""Train a table of methods over several seeds, and make the pages of what has been measured.

``python benchmarks/accuracy.py benchmarks/plans/cifar100_lt.yaml`` trains what has no record yet, several at a time,
and writes one JSON file per training below ``benchmarks/results/accuracy``. Stopped or killed, it goes on where it was
when the command is given again. ``python benchmarks/accuracy.py --report`` makes tables and figures from these files
alone, for all plans.
"""

import argparse
import signal
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('plan', nargs='?', type=Path, metavar='PLAN.yaml', help='what to train')
    parser.add_argument('--report', action='store_true', help='train nothing: make the pages from the records')
    parser.add_argument('--check', action='store_true', help='with --report: write nothing; status 1 if out of date')
    parser.add_argument('--minutes', type=float, help='stop cleanly after so long; the same command goes on')
    parser.add_argument('--jobs', type=int, help='trainings at a time (default: as many as fit)')
    parser.add_argument('--threads', type=int, default=1, help='of a training (default: %(default)s)')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto', help='default: a GPU, if any')
    parser.add_argument('--memory', type=float, default=3, help='GiB of a GPU for a training (default: %(default)s)')
    parser.add_argument('--rows', nargs='+', metavar='NAME', help='only these rows')
    parser.add_argument('--seeds', type=int, help='so many seeds of each row at most')
    parser.add_argument('--data', type=Path, default=Path('data'), help='in place of data/ (default: %(default)s)')
    parser.add_argument('--no-insight', action='store_true', help='do not look into the trained networks')
    parser.add_argument(
        '--runs', type=Path, default=Path('work_dirs/accuracy'), help='where the runs go (default: %(default)s)'
    )
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results/accuracy', help='folder of the records')
    parser.add_argument('--list', action='store_true', help='train nothing: say which cells are done')
    args = parser.parse_args()
    if args.report == (args.plan is not None):
        parser.error('expected either a plan to train or --report.')
    for name in ('jobs', 'threads', 'seeds', 'minutes', 'memory'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            parser.error(f'expected --{name} above 0, got {value:g}.')
    return args


def train(args: argparse.Namespace) -> None:
    """Train what has no record."""
    from evidence.devices import places_for
    from evidence.plan import read_plan
    from evidence.running import run_cells
    from evidence.training import Places, is_recorded
    from evidence.training import train as train_cell

    plan = read_plan(args.plan)
    cells = list(plan.cells(args.rows, args.seeds))
    places = Places(args.runs, args.out, args.data.absolute(), args.threads, not args.no_insight)
    waiting = [cell for cell in cells if not is_recorded(plan, cell, places)]
    print(f'{plan.title}: {len(cells) - len(waiting)} of {len(cells)} trainings have their record.', flush=True)
    if args.list or not waiting:
        print('\n'.join(f'{cell.name}: {"open" if cell in waiting else "done"}' for cell in cells))
        return
    where = places_for(args.device, args.jobs, args.threads, args.memory)
    outcome = run_cells(waiting, partial(train_cell, plan, places), where, args.minutes, partial(print, flush=True))
    print(f'{len(outcome.done)} done, {len(outcome.stopped)} to go on with, {len(outcome.failed)} failed.')
    if outcome.failed:
        sys.exit(f'error: {", ".join(outcome.failed)} failed: see above.')


def report(check: bool) -> None:
    """Make the pages, or say which are out of date."""
    from evidence.report import write_report
    from evidence.understanding import write as write_understanding

    pages = write_report(ROOT, check) + write_understanding(ROOT, check)
    if check and pages:
        sys.exit(f'error: {", ".join(pages)}: out of date. Run python benchmarks/accuracy.py --report')
    for page in pages:
        print(f'written: {page}')


def main(args: argparse.Namespace) -> None:
    """Train or report; what a user can mend ends in a sentence."""
    from mmdrl.errors import MMDRLError

    for number in (signal.SIGTERM, signal.SIGHUP):  # of a job system, of a terminal that closes: trainings save first
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        if args.report:
            report(args.check)
        else:
            train(args)
    except MMDRLError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == '__main__':
    main(parse_args())
