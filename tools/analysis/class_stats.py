"""Class counts of data sets: ``python tools/analysis/class_stats.py SOURCE [SOURCE ...]``.

A source is a config (a file, or one of mmdrl by name), a ``path label`` list (also as ``.txt.xz``), an array file, or
annotations in JSON. Prints images, classes, imbalance ratio, Gini coefficient and shot groups side by side, and draws
the counts.
"""

import argparse
import json
import os
from pathlib import Path

from sentences import run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='Class counts of data sets')
    parser.add_argument(
        'sources',
        nargs='+',
        metavar='SOURCE',
        help='config (a file, or the name of one of mmdrl), list.txt[.xz] of "path label" lines, arrays.npz with '
        'labels, labels.npy, or annotations.json',
    )
    parser.add_argument(
        '--split', choices=['train', 'val', 'test'], default='train', help='data set of a config (default: %(default)s)'
    )
    own = "default: as the config's ShotAccuracy, else"
    parser.add_argument('--many', type=int, help=f'edge of the many-shot group, in images ({own} 100)')
    parser.add_argument('--few', type=int, help=f'edge of the few-shot group, in images ({own} 20)')
    parser.add_argument(
        '--edges',
        choices=['exclusive', 'inclusive'],
        help=f'exclusive: a class exactly on an edge is medium; inclusive: it is many or few ({own} exclusive)',
    )
    parser.add_argument('--out', metavar='FILE.png', help='figure to write (default: none)')
    parser.add_argument('--json', metavar='FILE', help='file for the numbers and the counts of every class')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Read, print, draw."""
    from matplotlib.backend_bases import FigureCanvasBase

    from mmdrl.datasets.preparation import disk_errors, new_file
    from mmdrl.engine.class_sources import source_counts, source_groups
    from mmdrl.errors import ConfigError
    from mmdrl.stats import class_statistics
    from mmdrl.visualization import class_counts_figure, group_rule, statistics_table
    from mmdrl.visualization.bars import result_console

    kinds = FigureCanvasBase.get_supported_filetypes()
    if args.out and Path(args.out).suffix.lstrip('.').lower() not in kinds:
        raise ConfigError(f'Expected --out to end in one of .{", .".join(sorted(kinds))}, got {args.out}.')
    for option, target in (('--out', args.out), ('--json', args.json)):
        for source in args.sources if target and os.path.exists(target) else ():
            if os.path.exists(source) and os.path.samefile(source, target):
                raise ConfigError(f'{option} {target} would overwrite a source. Give it another name.')
    given = dict(many=args.many, few=args.few, edges=args.edges)
    groups = source_groups(args.sources) | {name: value for name, value in given.items() if value is not None}
    if not 0 <= groups['few'] <= groups['many']:
        raise ConfigError(f'Expected --few at least 0 and not above --many, got {groups["few"]} and {groups["many"]}.')
    counts = source_counts(args.sources, args.split)
    statistics = {name: class_statistics(values, **groups) for name, values in counts.items()}
    console = result_console()
    console.print(statistics_table(statistics))
    console.print(f'Groups: {group_rule(**groups)}.')
    if args.json:
        content = {name: statistics[name] | dict(class_counts=values.tolist()) for name, values in counts.items()}
        with disk_errors(f'Writing {args.json}'):
            Path(args.json).parent.mkdir(parents=True, exist_ok=True)
            with new_file(Path(args.json)) as stream:
                stream.write(f'{json.dumps(content, indent=1)}\n'.encode())
    if args.out:
        with disk_errors(f'Writing {args.out}'):
            Path(args.out).parent.mkdir(parents=True, exist_ok=True)
            with new_file(Path(args.out)) as stream:
                kind = Path(args.out).suffix[1:].lower()
                class_counts_figure(counts, **groups).savefig(stream, format=kind, dpi=120)
        console.print(f'Figure: {args.out}', soft_wrap=True, markup=False)


if __name__ == '__main__':
    run(main, parse_args())
