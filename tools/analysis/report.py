"""One report of runs: ``python tools/analysis/report.py RUN_DIR [RUN_DIR ...]``.

Writes a page that needs nothing but a browser, and the same as Markdown: what each method reaches over its seeds, how
methods differ on the same seeds, curves, figures, stages, configs, environment and commands. Runs of one config that
differ in the seed alone are one group; the group of the first run is what the others are compared with.
"""

import argparse

from sentences import run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='One report of one or several runs, as HTML and Markdown')
    parser.add_argument('runs', nargs='+', metavar='RUN_DIR', help='work folder of a run; it need not have ended')
    parser.add_argument(
        '--out', default='work_dirs/report', metavar='DIR', help='folder of the report (default: %(default)s)'
    )
    parser.add_argument('--title', metavar='TEXT', help='heading of the page (default: names of the configs)')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read, write, say where it is; imported late, so that ``-h`` answers at once."""
    from rich.console import Console

    from mmdrl.engine.report import write_report
    from mmdrl.engine.run_record import sort_out

    console = Console(highlight=False)
    folders, left_out = sort_out(args.runs)
    for sentence in left_out:
        console.print(sentence, soft_wrap=True, markup=False)
    page = write_report(folders, args.out, args.title)
    console.print(f'Report: {page}, as Markdown {page.with_suffix(".md")}', soft_wrap=True, markup=False)


if __name__ == '__main__':
    run(main, parse_args())
