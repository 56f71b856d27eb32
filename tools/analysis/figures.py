"""Figures of runs: ``python tools/analysis/figures.py RUN_DIR [RUN_DIR ...] --out DIR``.

Draws all figures of each run from what it has left in its folder, and of several runs those that compare them with the
first one. One run's figures lie in DIR; of several each has a folder in it. Needs neither data nor checkpoints.
"""

import argparse

from sentences import run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='All figures of one run or several')
    parser.add_argument('runs', nargs='+', metavar='RUN_DIR', help='work folder of a run; it need not have ended')
    parser.add_argument(
        '--out', default='work_dirs/figures', metavar='DIR', help='folder of the figures (default: %(default)s)'
    )
    parser.add_argument(
        '--format', choices=['png', 'svg', 'pdf'], default='png', help='kind of the files (default: %(default)s)'
    )
    parser.add_argument(
        '--classifier',
        choices=['linear', 'ncm'],
        default='linear',
        help='whose accuracies are compared between runs (default: %(default)s)',
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read all runs, draw, write, say where."""
    from pathlib import Path

    from mmdrl.engine.figures import compare_figures, run_figures, run_names, write_figures
    from mmdrl.engine.run_record import read_run, sort_out
    from mmdrl.errors import DataError
    from mmdrl.visualization.bars import result_console

    console = result_console()
    folders, left_out = sort_out(args.runs)
    for sentence in left_out:
        console.print(sentence, soft_wrap=True, markup=False)
    records = [read_run(folder) for folder in folders]
    out = Path(args.out)
    names = run_names(records)
    for name, record in zip(names, records, strict=True):
        for note in record.notes:
            console.print(f'{name}: {note}', soft_wrap=True, markup=False)
        figures = run_figures(record)
        if not figures:
            raise DataError(f'There is nothing to draw in {record.folder}: neither results nor a log with numbers.')
        folder = out if len(records) == 1 else out / name
        write_figures(figures, folder, args.format)
        console.print(f'{name}: {", ".join(figures)} in {folder}', soft_wrap=True, markup=False)
    if len(records) > 1:
        figures = compare_figures(records, args.classifier)
        if figures:
            write_figures(figures, out, args.format)
        what = ', '.join(figures) or 'nothing, as no two have the same classes, or logs of validations'
        console.print(f'Compared: {what} in {out}', soft_wrap=True, markup=False)


if __name__ == '__main__':
    run(main, parse_args())
