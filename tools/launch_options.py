"""Options that tools share.

Imports nothing heavy: mim asks a tool for ``-h`` before each run.
"""

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable

# Of the host at its import: about operators that image classification does not use, and about how it finds packages.
HARMLESS = ('Fail to import ``MultiScaleDeformableAttention``', 'pkg_resources is deprecated')


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

    What a user can mend ends in one sentence and exit status 1. Whatever ends a training that can go on is followed by
    how; of several processes, the first one says it.
    """
    try:
        _run(main, args)
    except KeyboardInterrupt as interrupt:
        from mmdrl.first_failure import has_spoken, is_first, wait_for_speaker

        goes_on = 'A run that has saved a checkpoint goes on from it with --resume.' if hasattr(args, 'resume') else ''
        number = getattr(interrupt, 'number', signal.SIGINT)
        by = '' if number == signal.SIGINT else f' by {signal.Signals(number).name}'
        if is_first():
            print(f'Stopped{by}. {str(interrupt) or goes_on}'.strip(), file=sys.stderr)
            has_spoken()
        else:
            wait_for_speaker()
        sys.exit(128 + number)


def _run(main: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    try:
        from mmdrl.data_only import insist
        from mmdrl.errors import MMDRLError, name_too_long
        from mmdrl.first_failure import has_spoken, is_to_speak
        from mmdrl.launch import end_with_launcher, finish, hear_first_interrupt, start
        from mmdrl.started import STARTED
    except ImportError as missing:  # mmdrl looks at the packages it needs when it is imported
        sys.exit(f'error: {missing}')

    insist()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    for message in HARMLESS:
        warnings.filterwarnings('ignore', message, UserWarning)
    if STARTED in os.environ:
        hear_first_interrupt()
        end_with_launcher()
    try:
        start(args.gpus, args.device, args.launcher, hasattr(args, 'resume'))
        main(args)
        finish()
    except Exception as caught:
        error = (name_too_long(caught) if isinstance(caught, OSError) else None) or caught
        if not is_to_speak(follows=getattr(error, 'follows', False)):
            sys.exit(1)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of a launcher that sees another process gone
        way_back = getattr(error, 'way_back', '')
        if not isinstance(error, MMDRLError):
            if not way_back:
                raise
            sys.excepthook(*sys.exc_info())
        sentence = (
            f'error: {error}\n{way_back}' if isinstance(error, MMDRLError) else f'error: The run broke off. {way_back}'
        )
        sys.stdout.flush()  # the sentence is to be the last line, also where both go into one file
        print(sentence.strip(), file=sys.stderr, flush=True)
        has_spoken()
        sys.exit(1)
