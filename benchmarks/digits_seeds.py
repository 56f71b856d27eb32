"""How much of the digits result is chance: the three configs of ``make train`` over several seeds.

``python benchmarks/digits_seeds.py --seeds 12 --jobs 2`` trains what is missing, writes one JSON file with
every run, and prints mean, standard deviation and the paired difference to the run without the DR loss.
The seed decides initial weights, order and shifts; the split of the digits is the same for all.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
METHODS = ('ce', 'crt', 'drl')
KEYS = ('many', 'medium', 'few', 'all', 'ncm/few', 'ncm/all')


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, default=12, help='seeds per method, from 0 (default: %(default)s)')
    parser.add_argument('--jobs', type=int, default=2, help='runs at a time (default: %(default)s)')
    parser.add_argument('--runs', type=Path, default=Path('work_dirs/digits_seeds'), help='where the runs go')
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results/digits_seeds.json', help='result file')
    return parser.parse_args()


def train(method: str, seed: int, folder: Path) -> dict:
    """Results of one run, trained now unless it has ended before."""
    done = folder / 'results.json'
    if not done.exists():
        command = [sys.executable, '-W', 'ignore', ROOT / 'tools/train.py', ROOT / f'configs/{method}_r8_digits-lt.py']
        options = ['--gpus', '0', '--work-dir', folder, '--cfg-options', f'randomness.seed={seed}']
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL, env=environment)
    results = json.loads(done.read_text())
    return dict(method=method, seed=seed, metrics=results['metrics'], versions=results['versions'])


def report(runs: list[dict]) -> str:
    """Markdown table of mean and standard deviation, and of the paired differences."""
    values = {
        (method, key): np.array([run['metrics'][key] for run in runs if run['method'] == method])
        for method in METHODS
        for key in KEYS
    }
    lines = ['| | ' + ' | '.join(KEYS) + ' |', '|---' * (len(KEYS) + 1) + '|']
    for method in METHODS:
        cells = [f'{values[method, key].mean():.1f} ± {values[method, key].std(ddof=1):.1f}' for key in KEYS]
        lines.append(f'| {method} | ' + ' | '.join(cells) + ' |')
    for first, second in (('crt', 'ce'), ('drl', 'crt')):
        cells = []
        for key in KEYS:
            difference = values[first, key] - values[second, key]
            error = difference.std(ddof=1) / len(difference) ** 0.5
            cells.append(f'{difference.mean():+.2f} ± {error:.2f}')
        lines.append(f'| {first} - {second} (mean ± standard error) | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def main(args: argparse.Namespace) -> None:
    """Train, write, print."""
    cells = [(method, seed) for seed in range(args.seeds) for method in METHODS]
    with ThreadPoolExecutor(args.jobs) as pool:
        runs = list(pool.map(lambda cell: train(*cell, args.runs / f'{cell[0]}_{cell[1]}'), cells))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(dict(seeds=args.seeds, runs=runs), indent=1) + '\n')
    print(report(runs))
    print(f'Written: {args.out}')


if __name__ == '__main__':
    main(parse_args())
