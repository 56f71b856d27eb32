"""What features are worth for the tail: ``python tools/analysis/representation.py CONFIG CHECKPOINT [CHECKPOINT ...]``.

Goes once over training and held-out images of each model and prints, side by side: accuracy by nearest class mean and
nearest neighbours, spread of classes, how far the centroids of training images lie from those of new ones, effective
rank, and neural collapse. The folder of a run that has ended stands for its config and last checkpoint.
"""

import argparse
from pathlib import Path

from sentences import run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='What features are worth for the tail')
    parser.add_argument(
        'sources',
        nargs='+',
        metavar='CONFIG CHECKPOINT',
        help='config and its checkpoints; a further config holds for the checkpoints after it. The work folder of a '
        'run that has ended stands for both',
    )
    parser.add_argument('--split', choices=['test', 'val'], default='test', help='held-out images (default: test)')
    parser.add_argument(
        '--space',
        choices=['classifier', 'loss'],
        default='classifier',
        help='features that the classifier sees, or those that the DR loss sees (default: %(default)s)',
    )
    parser.add_argument(
        '--normalize',
        action=argparse.BooleanOptionalAction,
        default=None,
        help='bring features to length 1 (default: if a cosine classifier or the loss does so)',
    )
    parser.add_argument('-k', type=int, default=20, help='neighbours of kNN (default: %(default)s)')
    parser.add_argument('--json', metavar='FILE', help='file for all numbers, those of every class too (default: none)')
    parser.add_argument('--figures', metavar='DIR', help='folder for figures (default: none)')
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='where to run (default: the GPU, if there is any)')
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin host memory for loaded batches')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override settings of all configs, for instance test_dataloader.batch_size=64, a list as key="[a,b]"',
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure, print, write; imported late, so that ``-h`` answers at once."""
    from mmdrl.launch import check_device, start

    start(0 if args.device == 'cpu' else None, None, 'none')  # before MMEngine is imported, which looks for a GPU
    check_device(args.device)

    from mmdrl.datasets.preparation import disk_errors, new_file
    from mmdrl.engine.output_files import check_target
    from mmdrl.engine.representation import labels_of, read_sources, representation_report, write_reports
    from mmdrl.errors import DataError
    from mmdrl.visualization.bars import result_console
    from mmdrl.visualization.representation_figures import representation_figures
    from mmdrl.visualization.representation_tables import representation_tables

    sources = read_sources(args.sources, args.cfg_options, pin_memory=not args.no_pin_memory)
    labels = labels_of(sources)
    if args.json:
        check_target('--json', Path(args.json), *args.sources, *(source.checkpoint for source in sources))
    if args.figures:
        if Path(args.figures).is_file():
            raise DataError(f'Expected --figures to name a folder, got the file {args.figures}.')
        with disk_errors(f'Making the folder {args.figures}'):
            Path(args.figures).mkdir(parents=True, exist_ok=True)
    console = result_console()
    reports = {
        label: representation_report(
            source.config, source.checkpoint, args.split, args.space, normalize=args.normalize, k=args.k
        )
        for label, source in zip(labels, sources, strict=True)
    }
    for table in representation_tables(reports):
        console.print(table)
    for label, report in reports.items():
        where = f'{report["images"]["train"]:,} training and {report["images"]["held_out"]:,} {args.split} images'
        unit = ', brought to length 1' if report['normalized'] else ''
        text = f'{label}: {where}, {report["feature_size"]} features of the {report["space"]}{unit}, k={report["k"]}'
        console.print(text, soft_wrap=True, markup=False)
    if args.json:
        write_reports(reports, Path(args.json))
        console.print(f'Numbers: {args.json}', soft_wrap=True, markup=False)
    for name, figure in representation_figures(reports).items() if args.figures else ():
        path = Path(args.figures) / f'representation_{name}.png'
        with disk_errors(f'Writing {path}'), new_file(path) as stream:
            figure.savefig(stream, format='png', dpi=120)
        console.print(f'Figure: {path}', soft_wrap=True, markup=False)


if __name__ == '__main__':
    run(main, parse_args())
