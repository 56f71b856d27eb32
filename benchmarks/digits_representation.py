"""Whether the DR loss brings the centroids of rare classes nearer to the truth: features of the digits over seeds.

``python benchmarks/digits_representation.py --seeds 12 --jobs 2`` trains what is missing, in the folder that
``digits_seeds.py`` uses too, measures the features of each run as ``tools/analysis/representation.py`` does, prints
means and standard deviations of every method with paired differences and their standard errors, and writes them to
``benchmarks/results/digits_representation.json``. All numbers are percentages.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from digits_seeds import ROOT, Row, Table, common_seeds, markdown, summary, train

# Column, then where it stands in a report, and what brings it to percent.
COLUMNS = {
    'NCM few': (('accuracy', 'ncm', 'few'), 1),
    'kNN few': (('accuracy', 'knn', 'few'), 1),
    'error/spread few': (('classes', 'error_to_spread', 'few'), 100),
    'error/nearest few': (('classes', 'error_to_nearest', 'few'), 100),
    'error/expected many': (('classes', 'error_to_expected', 'many'), 100),
    'error/expected few': (('classes', 'error_to_expected', 'few'), 100),
    'within/between train': (('overall', 'within_to_between_train'), 100),
    'within/between test': (('overall', 'within_to_between_test'), 100),
}
TABLE = Table(
    tuple(COLUMNS),
    (
        Row('CE', 'ce'),
        Row('DR, linear', 'drl-linear', without='CE'),
        Row('CE, balanced stages', 'crt'),
        Row('DR, balanced stages', 'drl', without='CE, balanced stages'),
    ),
)


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, default=12, help='seeds per method, from 0 (default: %(default)s)')
    parser.add_argument('--jobs', type=int, default=2, help='trainings at a time (default: %(default)s)')
    parser.add_argument(
        '--runs',
        type=Path,
        default=Path('work_dirs/digits_seeds'),
        help='where the runs go; those that have ended there are not repeated (default: %(default)s)',
    )
    parser.add_argument(
        '--out', type=Path, default=ROOT / 'benchmarks/results/digits_representation.json', help='result file'
    )
    args = parser.parse_args()
    if args.seeds < 1 or args.jobs < 1:
        parser.error(f'expected --seeds and --jobs of 1 or more, got {args.seeds} and {args.jobs}.')
    return args


def measure(method: str, seed: int, folder: Path) -> dict:
    """The columns of one run."""
    from mmdrl.engine.representation import read_sources, representation_report

    source = read_sources([str(folder)])[0]
    report = representation_report(source.config, source.checkpoint)
    in_ball = report['classes'].get('in_ball', {}).get('all')  # without the DR loss there are no balls
    return dict(method=method, seed=seed, metrics=columns_of(report), in_ball=in_ball)


def columns_of(report: dict) -> dict[str, float]:
    """Those of a report, by their names."""
    numbers = {}
    for name, (path, factor) in COLUMNS.items():
        value = report
        for key in path:
            value = value[key]
        numbers[name] = round(factor * value, 4)
    return numbers


def main(args: argparse.Namespace) -> None:
    """Train, measure, write, print."""
    cells = [(row.method, seed) for seed in range(args.seeds) for row in TABLE.rows]
    with ThreadPoolExecutor(args.jobs) as pool:
        trained = [pool.submit(train, *cell, args.runs / f'{cell[0]}_{cell[1]}') for cell in cells]
        runs = []
        try:
            for (method, seed), future in zip(cells, trained, strict=True):
                trained_with = {name: value for name, value in future.result().items() if name != 'metrics'}
                runs.append(trained_with | measure(method, seed, args.runs / f'{method}_{seed}'))
                print(f'{len(runs)} of {len(cells)}: {method}, seed {seed}', flush=True)
        except BaseException as error:  # or leaving the pool would train all the others first
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, RuntimeError):
                sys.exit(f'error: {error}')
            raise
    lines = summary(TABLE, runs)
    in_ball = {row.label: _mean(run['in_ball'] for run in runs if run['method'] == row.method) for row in TABLE.rows}
    content = dict(seeds=len(common_seeds(TABLE, runs)), summary=lines, in_ball=in_ball, runs=runs)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    aside = args.out.with_name(f'{args.out.name}.tmp')
    aside.write_text(json.dumps(content, indent=1) + '\n')
    aside.replace(args.out)
    print(
        f'\n{markdown(TABLE, lines)}\nHeld-out centroids in their balls, % of classes: {in_ball}\nWritten: {args.out}'
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 2) if known else None


if __name__ == '__main__':
    main(parse_args())
