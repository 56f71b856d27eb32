"""Test a checkpoint.

``python tools/test.py CONFIG CHECKPOINT``, or ``mim test mmdrl CONFIG --checkpoint FILE``.
"""

import argparse

from launch_options import add_launch_options, run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='Test a checkpoint')
    parser.add_argument('config', help='config file, or name of a config of mmdrl')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder for logs (default: work_dirs/<config name>)')
    parser.add_argument('--out', metavar='FILE.json', help='also write the metrics to this file')
    parser.add_argument(
        '--verbose', action='store_true', help='show all of the log, with environment, config and hooks'
    )
    add_launch_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Test; imported late, so that ``-h`` answers at once."""
    from mmdrl.engine.config import load_config
    from mmdrl.engine.run import evaluate

    cfg = load_config(args.config, args.cfg_options, args.work_dir, args.launcher, not args.no_pin_memory)
    evaluate(cfg, args.checkpoint, args.out, args.verbose)


if __name__ == '__main__':
    run(main, parse_args())
