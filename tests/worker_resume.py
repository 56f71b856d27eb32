"""Trains, is killed and resumes: a script that starts the processes of one run after the other.

The first argument is a JSON file with a list of runs, each a dict of the arguments of :func:`config` and

- ``record``: name of the file that gets one JSON line per iteration, written before the iteration ends;
- ``kill``: iteration, from 0, at the end of which all processes get SIGKILL; None lets the run end;
- ``processes``: how many train one model.

All processes come of this one by ``fork``, which has imported what they need; each run is a set of real processes.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import setuptools  # noqa: F401 - here once, in place of in each process, as are the digits
import sklearn.datasets  # noqa: F401
import torch
from digits_run import STAGES, short_config, train
from mmengine.config import Config
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook

from mmdrl.engine.model_parts import unwrap
from mmdrl.registry import MODELS, TRANSFORMS

# 11, 11, 4, 4 and 4 iterations.
LONGER = [*STAGES[:2], {**STAGES[2], 'sampler': STAGES[1]['sampler']}]


@TRANSFORMS.register_module()
class Brighten:
    """Adds a number from each of the generators that transforms use."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        by = random.randrange(100) + np.random.randint(100) + int(torch.randint(100, ()))
        return {**results, 'img': results['img'] + np.float32(by / 100)}


@MODELS.register_module()
class DroppingPooling(torch.nn.Module):
    """Global average pooling and dropout."""

    def forward(self, maps: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return tuple(torch.nn.functional.dropout(x.mean((2, 3)), 0.2, self.training) for x in maps)


SHIFTS = [dict(type='RandomCrop', crop_size=8, padding=2), dict(type='mmdrl.Brighten'), dict(type='PackInputs')]


class Witness(Hook):
    """Writes what each iteration has seen of all processes, in the order of the sampler; then maybe cuts the power."""

    priority = 'LOWEST'

    def __init__(self, record: Path, kill: int | None = None):
        self.record = record
        self.kill = kill

    def before_train(self, runner: Any) -> None:
        dtype = torch.get_default_dtype()
        unwrap(runner.model).backbone.register_forward_pre_hook(lambda _, images: (images[0].to(dtype),))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        images = [sample.sample_idx for sample in data_batch['data_samples']]
        pixels = [float(image.double().sum()) for image in data_batch['inputs']]
        shares = all_gather_object((images, pixels, float(outputs['loss'])))
        taken, sums, losses = zip(*shares, strict=True)
        images, pixels = ([x for turn in zip(*parts, strict=True) for x in turn] for parts in (taken, sums))
        scalars = runner.message_hub.log_scalars
        entry = dict(
            iter=runner.iter,
            epoch=runner.epoch,
            batch=batch_idx,
            images=images,
            pixels=pixels,
            losses=losses,
            smooth=scalars['train/loss'].mean(4),
            lr=runner.optim_wrapper.get_lr()['lr'][0],
            frozen=not unwrap(runner.model).backbone.bn1.training,
        )
        if get_rank() == 0:
            with self.record.open('a') as file:
                file.write(json.dumps(entry) + '\n')
        if runner.iter == self.kill:
            all_gather_object(0)  # written by the first process
            os.killpg(0, signal.SIGKILL)  # loader workers too: one that has just begun would outlive its parent


def config(
    folder: str,
    loop: str = 'epoch',
    processes: int = 1,
    batch_size: int = 32,
    iterations: int = 30,
    stages: list[dict[str, Any]] | None = None,
    shifts: bool = False,
    changes: dict[str, Any] | None = None,
    resume: bool = False,
) -> Config:
    """The short digits job with dropout and checkpoints inside its epochs; or by iterations and without stages."""
    cfg = short_config(Path(folder), stages or LONGER, resume=resume)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=3, max_keep_ckpts=2)
    cfg.model.neck = dict(type='mmdrl.DroppingPooling')
    cfg.train_dataloader.batch_size = batch_size // processes
    cfg.launcher = 'pytorch' if processes > 1 else 'none'
    if processes > 1:
        cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    if shifts:
        cfg.train_dataloader.dataset.dataset.pipeline = SHIFTS
    if loop == 'iter':
        del cfg.default_hooks.stages
        cfg.train_cfg = dict(type='mmdrl.ResumableIterLoop', max_iters=iterations, val_interval=7)
        cfg.param_scheduler = dict(type='PolyLR', end=iterations, by_epoch=False)
    cfg.merge_from_dict(changes or {})
    return cfg


def work(rank: int, record: str, kill: int | None = None, double: bool = False, **settings: Any) -> None:
    """What one process does; in double precision on request."""
    torch.set_default_dtype(torch.float64 if double else torch.float32)
    processes = settings.get('processes', 1)
    if processes > 1:
        store = torch.distributed.FileStore(f'{record}.store', processes)
        os.environ['LOCAL_RANK'] = str(rank)
        torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=processes)
    runner = train(config(**settings), Witness(Path(record), kill))
    if rank == 0:
        torch.save(unwrap(runner.model).state_dict(), f'{record}.pth')
    if processes > 1:
        torch.distributed.destroy_process_group()


def start(rank: int, run: dict[str, Any]) -> int:
    """Fork a process; returns its number."""
    number = os.fork()
    if number == 0:
        os.setpgrp()
        try:
            work(rank, **run)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return number


if __name__ == '__main__':
    torch.set_num_threads(1)
    # MMEngine lays the config out by yapf for every checkpoint, four fifths of the time that these runs would take.
    Config.pretty_text = property(lambda self: str(self.to_dict()))
    for run in json.loads(Path(sys.argv[1]).read_text()):
        numbers = [start(rank, run) for rank in range(run.get('processes', 1))]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in numbers]
        expected = 0 if run.get('kill') is None else -signal.SIGKILL
        assert all(status == expected for status in statuses), f'{run} ended with {statuses}'
    print('all runs ended as they should')
