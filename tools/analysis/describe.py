"""What a config would train, stage by stage: ``python tools/analysis/describe.py CONFIG``.

Sets the run up as training does, down to its schedules, and stops before the first batch; one image is loaded for each
stage that has transforms of its own. What does not fit ends in the sentence that training would end in. Leaves no work
folder and uses no GPU.
"""

import argparse
import json
import os
from pathlib import Path

from sentences import run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='What a config would train, stage by stage')
    parser.add_argument('config', help='config file, or name of a config of mmdrl')
    parser.add_argument(
        '--gpus', type=int, default=1, metavar='N', help='processes that share the batches (default: 1, as is 0)'
    )
    parser.add_argument(
        '--total-batch',
        type=int,
        metavar='IMAGES',
        help='images of all processes in one iteration (default: batch_size of the config for each process)',
    )
    parser.add_argument('--json', metavar='FILE', help='file for the plan as data')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override settings of the config, for instance train_cfg.max_epochs=10, a list as key="[a,b]"',
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Set up and print; imported late, so that ``-h`` answers at once."""
    os.environ['CUDA_VISIBLE_DEVICES'] = ''
    from rich.console import Console

    from mmdrl.datasets.preparation import disk_errors, new_file
    from mmdrl.engine.config import load_config
    from mmdrl.engine.describe import describe_run
    from mmdrl.engine.total_batch import set_total_batch
    from mmdrl.errors import ConfigError
    from mmdrl.visualization import plan_table

    if args.gpus < 0:
        raise ConfigError(f'Expected --gpus to be a number of processes, 0 or more, got {args.gpus}.')
    both_exist = bool(args.json) and os.path.exists(args.json) and os.path.exists(args.config)
    if both_exist and os.path.samefile(args.json, args.config):
        raise ConfigError(f'--json {args.json} would overwrite the config. Give it another name.')
    cfg = load_config(args.config, args.cfg_options)
    if args.total_batch is not None:
        set_total_batch(cfg, args.total_batch, max(args.gpus, 1))
    plan = describe_run(cfg, max(args.gpus, 1))
    console = Console(highlight=False)
    console.print(plan_table(plan, Path(cfg.filename).stem, console.width))
    if args.json:
        with disk_errors(f'Writing {args.json}'):
            Path(args.json).parent.mkdir(parents=True, exist_ok=True)
            with new_file(Path(args.json)) as stream:
                stream.write(f'{json.dumps(plan, indent=1)}\n'.encode())


if __name__ == '__main__':
    run(main, parse_args())
