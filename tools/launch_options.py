"""Options that tools share.

Imports nothing heavy: mim asks a tool for ``-h`` before each run.
"""

import argparse
import os
import sys
from collections.abc import Callable


def add_launch_options(parser: argparse.ArgumentParser) -> None:
    """Add where and how to run, and how to override the config."""
    parser.add_argument(
        '--gpus',
        type=int,
        help='number of GPUs, one process each; 0 runs on the CPU (default: one, if there is any)',
    )
    parser.add_argument(
        '--device',
        choices=['cpu', 'cuda'],
        help='cpu: run on the CPU even if there are GPUs; --gpus is then the number of processes',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what has started the processes; none lets --gpus start them (default: none)',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin host memory for loaded batches')
    add_config_options(parser)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add how to override the config."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override settings of the config, for instance randomness.seed=1 train_cfg.max_epochs=10, '
        'a list as key="[a,b]"',
    )


def add_rule_options(parser: argparse.ArgumentParser) -> None:
    """Add which rule a trained model predicts with."""
    parser.add_argument(
        '--classifier',
        choices=['linear', 'ncm', 'adjusted'],
        help="the head's classifier, nearest class mean, or logits adjusted by the class counts "
        '(default: as the config says)',
    )
    parser.add_argument('--tau', type=float, help='strength of --classifier adjusted (default: 1)')


def run(main: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Start as many processes as asked for and run ``main`` in each.

    What a user can mend ends in one sentence and exit status 1.
    """
    try:
        from mmdrl.errors import MMDRLError
    except ImportError as error:  # mmdrl looks at the packages it needs when it is imported
        sys.exit(f'error: {error}')

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    try:
        from mmdrl.launch import finish, start

        start(args.gpus, args.device, args.launcher)
        main(args)
        finish()
    except MMDRLError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        print('Stopped. A run that has saved a checkpoint goes on from it with --resume.', file=sys.stderr)
        sys.exit(130)
