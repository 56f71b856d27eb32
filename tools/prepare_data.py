"""Get data sets: ``python tools/prepare_data.py NAME [NAME ...] --root DIR``, or ``mim run mmdrl prepare_data ...``.

Fetches what is missing, goes on with what was begun, checks it, builds the array files of CIFAR, and shows the
classes. What is there is never overwritten, so running it again costs next to nothing.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from mmdrl.datasets.preparation import Prepared, Progress

NAMES = ('cifar10', 'cifar100', 'imagenet-lt', 'places-lt', 'inaturalist2018')  # as mmdrl.datasets.preparation has them


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='Get data sets')
    parser.add_argument('names', nargs='+', metavar='NAME', choices=NAMES, help=f'one or more of {", ".join(NAMES)}')
    parser.add_argument('--root', required=True, metavar='DIR', help='folder of the data, made if need be')
    parser.add_argument(
        '--mirror', metavar='URL', help='fetch every file by its name from this address instead of from its publisher'
    )
    parser.add_argument(
        '--images',
        action='store_true',
        help='fetch the images of places-lt (25 GB) and inaturalist2018 (120 GB), too, and unpack them',
    )
    parser.add_argument(
        '--retries',
        type=int,
        default=4,
        metavar='N',
        help='attempts after one that brought nothing, the first after one second, then after twice the time each '
        '(default: %(default)s)',
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> int:
    """Prepare one set after the other; 1 if something is missing or wrong at the end."""
    from mmdrl.datasets.preparation import prepare
    from mmdrl.errors import MMDRLError
    from mmdrl.visualization.bars import result_console

    console = result_console()
    problems = []
    for name in args.names:
        console.rule(name) if console.is_terminal else console.print(f'{name}:')
        try:
            with progress_bars() as progress:
                prepared = prepare(
                    name, args.root, mirror=args.mirror, images=args.images, retries=args.retries, progress=progress
                )
            problems += [f'{name}: {problem}' for problem in prepared.problems]
            for note in prepared.notes:
                console.print(note, soft_wrap=True, markup=False)
            if prepared.counts:
                show_classes(name, prepared, Path(args.root).expanduser(), console)
        except MMDRLError as error:
            problems.append(f'{name}: {error}')
    for problem in problems:
        print(f'error: {problem}', file=sys.stderr)
    return 1 if problems else 0


def show_classes(name: str, prepared: 'Prepared', root: Path, console: 'Console') -> None:
    """Print the tables of the classes and write the figure."""
    from mmdrl.datasets.preparation import disk_errors, new_file
    from mmdrl.stats import class_statistics
    from mmdrl.visualization import class_counts_figure, largest_and_smallest_table, statistics_table

    console.print(largest_and_smallest_table(prepared.counts, prepared.class_names))
    console.print(statistics_table({which: class_statistics(counts) for which, counts in prepared.counts.items()}))
    path = root / f'class_counts_{name}.png'
    with disk_errors(f'Writing {path}'), new_file(path) as stream:
        class_counts_figure(prepared.counts).savefig(stream, dpi=120)
    console.print(f'Figure: {path}', soft_wrap=True, markup=False)


@contextmanager
def progress_bars() -> 'Iterator[Progress]':
    """One bar per file while it is fetched; what is called with name, bytes that are there, and bytes in all."""
    from mmdrl.visualization.bars import screen

    bars: dict[str, TaskID | None] = {}

    def show(name: str, there: int, whole: int | None) -> None:
        if name not in bars:
            bars[name] = screen().begin(name, whole, is_file=True)
        screen().move(bars[name], to=there, total=whole)

    try:
        yield show
    finally:
        screen().close()


if __name__ == '__main__':
    arguments = parse_args()
    try:
        sys.exit(main(arguments))
    except ImportError as error:  # mmdrl looks at the packages it needs when it is imported
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        print('Stopped. What was fetched is kept; the same command goes on from there.', file=sys.stderr)
        sys.exit(130)
