"""One of several processes, or the only one, of which one goes: what the others say, and after how many seconds.

Arguments: who goes and how, and a folder. ``killed``, ``stopped`` and ``refuses`` are of the last of several processes,
``worker`` has a loader worker of the only one killed, ``all`` that one itself. Prints a line for each process that is
left: its rank, the seconds until it ended, and its sentence.
"""

import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from worker_resume import config

from mmdrl.engine.run import train_model
from mmdrl.errors import DataError, MMDRLError
from mmdrl.registry import HOOKS


@HOOKS.register_module()
class Going(Hook):
    """Lets a process go in the middle of the training, and notes when, and its number."""

    def __init__(self, how: str, folder: str):
        self.how, self.folder = how, Path(folder)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter != 13 or get_rank() != get_world_size() - 1:
            return
        (self.folder / 'went').write_text(json.dumps([time.time(), os.getpid()]))
        if self.how == 'refuses':
            raise DataError('This process has no data any more.')
        goes = multiprocessing.active_children()[0].pid if self.how == 'worker' else os.getpid()
        os.kill(goes, signal.SIGSTOP if self.how == 'stopped' else signal.SIGKILL)


def main(how: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    count = int(os.environ['WORLD_SIZE'])
    changes: dict[str, Any] = {'env_cfg.dist_cfg.timeout': 4} if how == 'stopped' else {}
    if count == 1:
        changes = {'train_dataloader.num_workers': 2, 'train_dataloader.persistent_workers': how == 'worker'}
    else:
        torch.distributed.init_process_group('gloo')
    cfg = config(str(folder / 'run'), processes=count, changes=changes)
    cfg.custom_hooks = [dict(type='mmdrl.Going', how=how, folder=str(folder))]
    try:
        train_model(cfg)
    except MMDRLError as error:
        then, number = json.loads((folder / 'went').read_text())
        seconds = round(time.time() - then, 1)
        print(f'said {get_rank()} {seconds} {error} {getattr(error, "way_back", "")}', flush=True)
        if how == 'stopped':  # nothing else ends it
            os.kill(number, signal.SIGKILL)


if __name__ == '__main__':
    main(sys.argv[1], Path(sys.argv[2]))
