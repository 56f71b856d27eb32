"""How time and memory grow with classes K, features D, batch B, samples N and processes: curves and exponents.

``python benchmarks/scaling.py`` times each part of ``scaling_series.py`` at sizes that take turns and fits the slope of
log time over log size to the upper half of them; ``--plot`` draws ``docs/images/scaling.png`` from the result file
alone. A part should grow at most with what it must touch. Slopes are allowed 0.2 more, as a number that lies in memory
costs more than one in a cache; what is a power too steep is off by 1.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import distributed
import numpy as np
import torch
from measure import spread, turns, write_result
from rich.console import Console
from rich.table import Table
from scaling_series import Series, all_series

from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]
ALLOWED = 0.2
QUICK = (
    'loss, K',
    'loss, N',
    'centroids, an epoch, K',
    'class-aware order, N',
    'reading a list, N',
    'shot accuracy, N',
)
EPOCH = dict(classes=1000, width=512, batch=32)  # of the centroids of several processes


class Fit(NamedTuple):
    """A power law through points, and the standard error of its exponent."""

    exponent: float
    error: float


def fitted(sizes: Sequence[float], values: Sequence[float]) -> Fit:
    """Least squares through the logarithms of the upper half of the points, three or more of them."""
    first = min(len(sizes) // 2, len(sizes) - 3)
    x, y = np.log(sizes[first:]), np.log(values[first:])
    x = x - x.mean()
    exponent = float(x @ y / (x @ x))
    residuals = y - y.mean() - exponent * x
    return Fit(exponent, float(np.sqrt(residuals @ residuals / (len(x) - 2) / (x @ x))))


def measure(series: Series, rounds: int, device: str) -> dict[str, Any]:
    """One series: seconds with quartiles and bytes of each size, and the fits."""
    calls = {str(size): series.call(size) for size in series.sizes}
    times = [spread(found) for found in turns(calls, rounds, 2, device).values()]
    fit = fitted(series.sizes, [found['median'] for found in times])
    row: dict[str, Any] = dict(part=series.part, variable=series.variable, touches=series.touches, sizes=series.sizes)
    row['seconds'] = [{name: float(f'{value:.4g}') for name, value in found.items()} for found in times]
    row |= dict(exponent=round(fit.exponent, 3), error=round(fit.error, 3))
    row['met'] = fit.exponent <= series.touches + ALLOWED
    if series.memory:
        row['bytes'] = [round(series.memory(call)) for call in calls.values()]
    return row


def by_processes(rounds: int, numbers: Sequence[int] = (1, 2, 4)) -> list[dict[str, Any]]:
    """End of an epoch with several processes of this machine, against an ``all_reduce`` of as many bytes."""
    sent = EPOCH['classes'] * (EPOCH['width'] + 2)
    arguments = argparse.Namespace(processes=numbers, **EPOCH, gradients=sent, rounds=rounds)
    rows = []
    for row in distributed.of_processes(arguments):
        seconds = {f'{name}_ms': value for name, value in row['milliseconds'].items()}
        rows.append(dict(processes=row['processes'], bytes=4 * sent, **seconds, ratio=row['ratio']))
    return rows


def quick() -> dict[str, float]:
    """How many times as long a sixteen times larger size takes, for a few series."""
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for series in all_series('cpu', Path(folder), largest=1 / 16):
            if series.name in QUICK:
                sizes = (series.sizes[-1] // 16, series.sizes[-1])
                times = turns({str(size): series.call(size) for size in sizes}, 9, 2)
                small, large = (statistics.median(values) for values in times.values())
                found[f'{series.name} x 16'] = large / small
        return found


def show(rows: list[dict[str, Any]], processes: list[dict[str, Any]]) -> None:
    """The tables on the terminal."""
    table = Table('', 'from', 'to', 'ms', 'exponent', 'goal', '', title='time against size')
    for row in rows:
        seconds = [found['median'] * 1e3 for found in row['seconds']]
        table.add_row(
            f'{row["part"]}, {row["variable"]}',
            f'{row["sizes"][0]:,}',
            f'{row["sizes"][-1]:,}',
            f'{seconds[0]:.2f} to {seconds[-1]:.2f}',
            f'{row["exponent"]:.2f} ± {row["error"]:.2f}',
            f'<= {row["touches"]}',
            'met' if row['met'] else 'not met',
        )
    console = Console(width=120)
    console.print(table)
    if processes:
        times = Table('processes', 'end of an epoch, ms', 'all_reduce of as many bytes, ms', 'ratio')
        for row in processes:
            cells = f'{row["publish_ms"]:.1f}', f'{row["gradients_ms"]:.1f}', f'{row["ratio"]:.2f}'
            times.add_row(str(row['processes']), *cells)
        console.print(times)


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='cuda: of the training step alone')
    parser.add_argument('--rounds', type=int, default=15, help='calls of each size (default: %(default)s)')
    parser.add_argument('--quick', action='store_true', help='small sizes, few calls; writes nothing without --out')
    parser.add_argument('--plot', action='store_true', help='measure nothing; draw what the result file holds')
    parser.add_argument('--out', type=Path, help='result file (default: benchmarks/results/scaling_DEVICE.json)')
    args = parser.parse_args()
    if args.out is None and (args.plot or not args.quick):
        args.out = ROOT / f'benchmarks/results/scaling_{args.device}.json'
    return args


def main(args: argparse.Namespace) -> None:
    """Measure, print, write; or draw."""
    if args.plot:
        from scaling_figure import save_figure

        print(f'Written: {save_figure(args.out)}')
        return
    torch.set_num_threads(1)
    rounds, largest = (2, 1 / 64) if args.quick else (args.rounds, 1.0)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(series, rounds, args.device if series.on_device else 'cpu')
            for series in all_series(args.device, Path(folder), largest)
            if series.on_device or args.device == 'cpu'
        ]
    processes = by_processes(rounds) if args.device == 'cpu' else []
    show(rows, processes)
    machine = describe_environment()
    worst = max(row['exponent'] - row['touches'] for row in rows)
    result = dict(machine=machine, rounds=rounds, allowed=ALLOWED, ratios=dict(worst_excess=round(worst, 3)), rows=rows)
    write_result(args.out, result | dict(processes=processes))


if __name__ == '__main__':
    main(parse_args())
