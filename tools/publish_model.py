"""Publish the model of a run: ``python tools/publish_model.py RUN_DIR --out DIR``.

Also ``mim run mmdrl publish_model ...``. Writes ``NAME_YYYYMMDD-xxxxxxxx.pth``, named by its hash, with its config, a
model card, the log and the row of a metafile beside it.
"""

import argparse
import sys
from pathlib import Path

from launch_options import run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='Publish the model of a run that has ended')
    parser.add_argument('run_dir', metavar='RUN_DIR', help='work folder of the run')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write to, made if need be')
    parser.add_argument(
        '--checkpoint', metavar='FILE', help="one of the run's checkpoints, or a rebalanced one (default: its last)"
    )
    parser.add_argument('--name', help="beginning of the files' names (default: the config's)")
    parser.add_argument('--date', metavar='YYYYMMDD', help='day in their names (default: of the checkpoint, UTC)')
    parser.add_argument(
        '--check',
        action='store_true',
        help='test the published file and the checkpoint of the run on the test set; both must give the same',
    )
    parser.add_argument(
        '--url-prefix', metavar='https://...', help='address of the folder where the files will lie, for the metafile'
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object in place of the metafile row')
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='where to test (default: the GPU, if there is any)')
    args = parser.parse_args()
    args.gpus, args.launcher, args.local_rank = 0 if args.device == 'cpu' else None, 'none', 0
    return args


def main(args: argparse.Namespace) -> None:
    """Publish; imported late, so that ``-h`` answers at once."""
    from contextlib import redirect_stdout

    from mmdrl.engine.publish import publish
    from mmdrl.engine.publish.row import row_text

    with redirect_stdout(sys.stderr):  # what the host has to say
        published = publish(
            Path(args.run_dir),
            Path(args.out),
            checkpoint=Path(args.checkpoint) if args.checkpoint else None,
            name=args.name,
            date=args.date,
            check=args.check,
            url_prefix=args.url_prefix,
        )
    if args.json:
        print(published.to_json())
        return
    print(row_text(published.row), end='')
    for path in published.files.values():
        print(f'# {path}')
    if 'Results' not in published.row:
        print('# No Results: nothing was measured on the test set. With --check it is.')
    for note in published.notes:
        print(f'# {note}')


if __name__ == '__main__':
    run(main, parse_args())
