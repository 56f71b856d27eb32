"""Compare finished runs: ``python tools/analysis/compare_runs.py RUN_DIR [RUN_DIR ...]``.

Prints one table of many / medium / few / all accuracy for every run and classifier, and draws the accuracy
of each class beside its number of training images. Reads the ``results.json`` that each run has left.
"""

import argparse
from pathlib import Path

from sentences import run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='Compare finished runs')
    parser.add_argument('runs', nargs='+', metavar='RUN_DIR', help='work folder of a run that has ended')
    parser.add_argument(
        '--out',
        default='work_dirs/comparison.png',
        help='figure to write (default: %(default)s)',
        metavar='FILE.png',
    )
    parser.add_argument('--note', metavar='TEXT', help='sentence to print below the table')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read, print, draw."""
    from rich.console import Console

    from mmdrl.engine.results import read_results
    from mmdrl.visualization import accuracy_table, by_classifier, class_accuracy_figure

    console = Console()
    runs = {Path(run).name: read_results(run) for run in args.runs}
    rows = {
        f'{name}, {classifier}': row
        for name, results in runs.items()
        for classifier, row in by_classifier(results['metrics']).items()
    }
    console.print(accuracy_table(rows, title='Runs side by side'))
    if args.note:
        console.print(args.note)
    first = next(iter(runs.values()))
    same = [name for name, results in runs.items() if results['class_counts'] == first['class_counts']]
    per_class = {
        f'{name}, linear': runs[name]['per_class']['linear'] for name in same if 'linear' in runs[name]['per_class']
    }
    if per_class and first['class_counts']:
        figure = class_accuracy_figure(first['class_counts'], per_class, **first['shot_groups'])
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(args.out, dpi=120)
        console.print(f'Figure: {args.out}', soft_wrap=True)
    for name, results in runs.items():
        console.print(f'{name}: checkpoint {results["checkpoint"]}, figures in its folder figures/', soft_wrap=True)


if __name__ == '__main__':
    run(main, parse_args())
