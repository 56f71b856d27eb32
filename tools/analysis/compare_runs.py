"""Compare finished runs: ``python tools/analysis/compare_runs.py RUN_DIR [RUN_DIR ...]``.

Prints one table of many / medium / few / all accuracy for every run and classifier, and draws the accuracy
of each class beside its number of training images. Reads the ``results.json`` that each run has left; what has none is
left out, so ``work_dirs/*`` may be given.
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
        help='figure to write: .png, .svg or .pdf (default: %(default)s)',
        metavar='FILE.png',
    )
    parser.add_argument('--note', metavar='TEXT', help='sentence to print below the table')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read, print, draw."""
    from mmdrl.engine.figures import FORMATS, folder_names, group_settings, known_accuracies, write_figures
    from mmdrl.engine.results import read_results
    from mmdrl.engine.run_record import sort_out
    from mmdrl.errors import ConfigError
    from mmdrl.visualization import accuracy_table, by_classifier, class_accuracy_figure
    from mmdrl.visualization.bars import result_console

    out = Path(args.out)
    if out.suffix[1:].lower() not in FORMATS:
        raise ConfigError(f'Expected --out to end in one of .{", .".join(FORMATS)}, got {args.out}.')
    console = result_console()
    folders, left_out = sort_out(args.runs, only_ended=True)
    for sentence in left_out:
        console.print(sentence, soft_wrap=True, markup=False)
    runs = dict(zip(folder_names(folders), map(read_results, folders), strict=True))
    rows = {
        f'{name}, {results.get("classifier", classifier) if classifier == "linear" else classifier}': row
        for name, results in runs.items()
        for classifier, row in by_classifier(results.get('metrics') or {}).items()
    }
    console.print(accuracy_table(rows, title='Runs side by side', width=console.width))
    if args.note:
        console.print(args.note, markup=False)
    first = next(iter(runs.values()))
    counts = first.get('class_counts')
    same = [name for name, results in runs.items() if results.get('class_counts') == counts]
    accuracies = {name: known_accuracies(runs[name]) for name in same}
    per_class = {f'{name}, linear': found['linear'] for name, found in accuracies.items() if 'linear' in found}
    if per_class and counts:
        figure = class_accuracy_figure(counts, per_class, **group_settings(first))
        write_figures({out.stem: figure}, out.parent, out.suffix[1:].lower())
        console.print(f'Figure: {args.out}', soft_wrap=True, markup=False)
    for name, results in runs.items():
        place = f'checkpoint {results.get("checkpoint")}, figures in its folder figures/'
        console.print(f'{name}: {place}', soft_wrap=True, markup=False)


if __name__ == '__main__':
    run(main, parse_args())
