"""How much of a digits result is chance: the configs of ``configs/digits_lt`` over several seeds, in two tables.

``python benchmarks/digits_seeds.py --seeds 12 --jobs 2`` trains what is missing, prints mean and standard deviation of
every method with paired differences and their standard errors, and writes one JSON file per table under
``benchmarks/results``, anew after every run. Stopped, it goes on where it was. A seed decides initial weights, order
and shifts; the split of the digits is the same for all.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
SHOTS = ('many', 'medium', 'few', 'all')


class Row(NamedTuple):
    """A line of a table.

    Attributes:
        label: What it is called.
        method: First part of the config's name.
        classifier: ``''`` for the model's own, ``'ncm/'`` for the nearest class mean of the same run.
        without: Label of the row that lacks the DR loss and is otherwise the same.
    """

    label: str
    method: str
    classifier: str = ''
    without: str | None = None


class Table(NamedTuple):
    """Rows and columns; the first row is what all others are compared with."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


TABLES = {
    'digits_seeds': Table(
        (*SHOTS, 'ncm/few', 'ncm/all'),
        (Row('ce', 'ce'), Row('crt', 'crt'), Row('drl', 'drl', without='crt')),
    ),
    'digits_balancing': Table(
        SHOTS,
        (
            Row('CE', 'ce'),
            Row('CE, NCM', 'ce', 'ncm/'),
            Row('CE + cRT', 'ce-crt'),
            Row('CE + LWS', 'lws'),
            Row('balanced softmax', 'balsoftmax'),
            Row('LDAM-DRW', 'ldam-drw'),
            Row('DR, linear', 'drl-linear', without='CE'),
            Row('DR, NCM', 'drl-linear', 'ncm/', without='CE, NCM'),
            Row('DR + cRT', 'drl-crt', without='CE + cRT'),
            Row('DR + logit adjustment', 'drl-la', without='balanced softmax'),
        ),
    ),
}


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, default=12, help='seeds per method, from 0 (default: %(default)s)')
    parser.add_argument('--jobs', type=int, default=2, help='runs at a time (default: %(default)s)')
    parser.add_argument('--tables', nargs='+', choices=TABLES, default=list(TABLES), help='which (default: both)')
    parser.add_argument(
        '--runs',
        type=Path,
        default=Path('work_dirs/digits_seeds'),
        help='where the runs go. Those that have ended there are not repeated: delete it when code or configs have '
        'changed (default: %(default)s)',
    )
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results', help='folder of the result files')
    args = parser.parse_args()
    if args.seeds < 1 or args.jobs < 1:
        parser.error(f'expected --seeds and --jobs of 1 or more, got {args.seeds} and {args.jobs}.')
    return args


# Of results.json, what the numbers of a run depend on.
MADE_WITH = ('versions', 'git', 'python', 'cpu', 'devices', 'processes', 'threads', 'deterministic', 'total_batch_size')


def train(method: str, seed: int, folder: Path) -> dict:
    """Results of one run, trained now unless it has ended before; one that was stopped goes on."""
    done = folder / 'results.json'
    if not done.exists():
        config = ROOT / f'configs/digits_lt/{method}_r8_digits-lt-ir50.py'
        command = [sys.executable, '-W', 'ignore', ROOT / 'tools/train.py', config, '--gpus', '0', '--resume']
        options = ['--work-dir', folder, '--cfg-options', f'randomness.seed={seed}']
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        ended = subprocess.run([*command, *options], capture_output=True, text=True, env=environment)
        if ended.returncode != 0 or not done.exists():
            raise RuntimeError(f'{method}, seed {seed}: training failed.\n{ended.stdout[-1000:]}{ended.stderr[-3000:]}')
    results = json.loads(done.read_text())
    made_with = {name: results[name] for name in MADE_WITH if name in results}
    return dict(method=method, seed=seed, metrics=results['metrics'], **made_with)


def summary(table: Table, runs: list[dict]) -> dict[str, dict]:
    """Numbers of each line of a table over the seeds that all its methods have ended.

    Returns:
        By title of the line: for each column a pair, mean and standard deviation of a row, or mean and standard error
        of the paired difference of two rows; ``None`` in place of the second with one seed. Empty without a seed.
    """
    metrics = {(run['method'], run['seed']): run['metrics'] for run in runs}
    seeds = common_seeds(table, runs)
    if not seeds:
        return {}
    values = {
        row.label: [[metrics[row.method, seed][row.classifier + key] for key in table.columns] for seed in seeds]
        for row in table.rows
    }
    lines = {label: _describe(table, np.array(of_row)) for label, of_row in values.items()}
    first = table.rows[0].label
    pairs = [(row.label, first) for row in table.rows[1:]]
    pairs += [(row.label, row.without) for row in table.rows if row.without not in (None, first)]
    for label, other in pairs:
        differences = np.subtract(values[label], values[other])
        lines[f'{label} - {other}'] = _describe(table, differences, divisor=len(seeds) ** 0.5)
    return lines


def _describe(table: Table, values: np.ndarray, divisor: float = 1.0) -> dict[str, list[float | None]]:
    """By column, of values ``(seeds, columns)``: mean, and standard deviation divided by ``divisor``."""
    means = values.mean(0).round(4).tolist()
    spreads = (values.std(0, ddof=1) / divisor).round(4).tolist() if len(values) > 1 else [None] * len(means)
    return {key: [mean, spread] for key, mean, spread in zip(table.columns, means, spreads, strict=True)}


def common_seeds(table: Table, runs: list[dict]) -> list[int]:
    """Seeds that every method of the table has ended."""
    ended = {(run['method'], run['seed']) for run in runs}
    return [seed for seed in sorted({seed for _, seed in ended}) if {(row.method, seed) for row in table.rows} <= ended]


def markdown(table: Table, lines: dict[str, dict]) -> str:
    """Rows as mean ± standard deviation, then paired differences as mean ± standard error."""
    text = ['| | ' + ' | '.join(table.columns) + ' |', '|---' * (len(table.columns) + 1) + '|']
    labels = {row.label for row in table.rows}
    for title, numbers in lines.items():
        forms = ('{:.1f}', ' ± {:.1f}') if title in labels else ('{:+.2f}', ' ± {:.2f}')
        pairs = (zip(forms, numbers[key], strict=True) for key in table.columns)
        cells = [''.join(form.format(x) for form, x in pair if x is not None) for pair in pairs]
        text.append(f'| {title} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(text)


def write(name: str, runs: list[dict], folder: Path) -> None:
    """Write the result file of a table, whole or not at all."""
    table = TABLES[name]
    used = [run for run in runs if run['method'] in {row.method for row in table.rows}]
    used.sort(key=lambda run: (run['seed'], run['method']))
    content = dict(seeds=len(common_seeds(table, used)), summary=summary(table, used), runs=used)
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f'{name}.json.tmp'
    aside.write_text(json.dumps(content, indent=1) + '\n')
    aside.replace(folder / f'{name}.json')


def main(args: argparse.Namespace) -> None:
    """Train, write, print."""
    methods = dict.fromkeys(row.method for name in args.tables for row in TABLES[name].rows)
    cells = [(method, seed) for seed in range(args.seeds) for method in methods]
    runs: list[dict] = []
    with ThreadPoolExecutor(args.jobs) as pool:
        waiting = [pool.submit(train, *cell, args.runs / f'{cell[0]}_{cell[1]}') for cell in cells]
        try:
            for future in as_completed(waiting):
                runs.append(future.result())
                print(f'{len(runs)} of {len(cells)}: {runs[-1]["method"]}, seed {runs[-1]["seed"]}', flush=True)
                for name in args.tables:
                    write(name, runs, args.out)
        except BaseException as error:  # or leaving the pool would train all the others first
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, RuntimeError):
                sys.exit(f'error: {error}')
            raise
    for name in args.tables:
        print(f'\n{name}\n{markdown(TABLES[name], summary(TABLES[name], runs))}')
        print(f'Written: {args.out / name}.json')


if __name__ == '__main__':
    main(parse_args())
