"""Train a model: ``python tools/train.py CONFIG [--gpus N]``, or ``mim train mmdrl CONFIG --gpus N``."""

import argparse

from launch_options import add_launch_options, run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file, or name of a config of mmdrl')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: work_dirs/<config name>)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint; without a value, from the last one in the work folder if there is any',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision (GPU only)')
    parser.add_argument('--no-validate', action='store_true', help='do not validate while training')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate with the total batch size'
    )
    parser.add_argument(
        '--total-batch',
        type=int,
        metavar='IMAGES',
        help='images of all processes in one iteration, shared evenly among them (default: batch_size of the config '
        'for each process)',
    )
    parser.add_argument(
        '--no-persistent-workers', action='store_true', help='start the loader workers anew every epoch'
    )
    parser.add_argument(
        '--verbose', action='store_true', help='show all of the log, with environment, config and hooks'
    )
    add_launch_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Train; imported late, so that ``-h`` answers at once."""
    from mmdrl.engine.config import load_config
    from mmdrl.engine.run import train_model
    from mmdrl.engine.total_batch import launched_processes, set_total_batch

    cfg = load_config(
        args.config,
        args.cfg_options,
        args.work_dir,
        args.launcher,
        not args.no_pin_memory,
        not args.no_persistent_workers,
    )
    if args.total_batch is not None:
        set_total_batch(cfg, args.total_batch, launched_processes(args.launcher))
    train_model(
        cfg,
        resume=args.resume,
        amp=args.amp,
        validate=not args.no_validate,
        auto_scale_lr=args.auto_scale_lr,
        verbose=args.verbose,
    )


if __name__ == '__main__':
    run(main, parse_args())
