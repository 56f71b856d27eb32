"""Trains the short digits job in stages, with random shifts; the argument is the folder of the run.

It is one of several processes if a launcher has said so in the environment.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from digits_run import STAGES, short_config, train

from mmdrl.launch import finish

SHIFTS = [dict(type='RandomCrop', crop_size=8, padding=2), dict(type='PackInputs')]


def run(folder: Path, **changes: Any) -> None:
    """Train in this process."""
    changes |= {'train_dataloader.dataset.dataset.pipeline': SHIFTS, 'log_level': 'INFO'}
    train(short_config(folder, STAGES, **changes))


if __name__ == '__main__':
    if 'WORLD_SIZE' in os.environ:
        torch.distributed.init_process_group('gloo')
        wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
        run(Path(sys.argv[1]), launcher='pytorch', model_wrapper_cfg=wrapper)
        finish()
    else:
        run(Path(sys.argv[1]))
