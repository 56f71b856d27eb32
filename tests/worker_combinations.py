"""One of several processes, or the only one: short trainings with settings of MMEngine and torch, compared with none.

The first argument is the folder. Prints a line for each combination that trains as the plain run does.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from digits_run import short_config, train
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import EMAHook, Hook

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.model_parts import unwrap
from mmdrl.launch import finish

SAMPLER = dict(type='mmdrl.ClassAwareSampler', num_samples=128)
STAGES: list[dict[str, Any]] = [
    dict(name='feature', epochs=2, sampler=SAMPLER),
    dict(name='classifier', epochs=1, freeze=['backbone'], reset=['head.fc'], loss_weights=dict(loss_dr=0.0)),
]


class Losses(Hook):
    """Keeps the loss of each iteration."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.values.append(float(outputs['loss']))


class ChannelsLast(Hook):
    """Lays the weights out as accelerators like it; before ``before_train`` they are not initialised.

    For one process: DDP of torch 2.15 takes wrong means of the first gradients if that changes once it is there.
    """

    def before_train(self, runner: Any) -> None:
        unwrap(runner.model).to(memory_format=torch.channels_last)


def run(name: str, *hooks: Hook, wrapper: dict[str, Any] | None = None, **changes: Any) -> tuple[list[float], Any]:
    """Losses of every iteration, and the state dict of the last checkpoint."""
    cfg = short_config(Path(sys.argv[1]) / f'{name}-{get_world_size()}', STAGES, **changes)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.train_dataloader.batch_size = 32 // get_world_size()
    if get_world_size() > 1:
        cfg.launcher = 'pytorch'
        wrapped = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
        cfg.model_wrapper_cfg = wrapped | (wrapper or {})
    losses = Losses()
    train(cfg, losses, *hooks)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    checkpoint = read_checkpoint(str(Path(cfg.work_dir) / 'epoch_3.pth'))
    assert checkpoint is not None
    return losses.values, checkpoint['state_dict']


def compare(name: str, found: tuple[list[float], Any], iterations: int | None = None) -> None:
    """Losses must be those of the plain run; of so many iterations, if not all."""
    worst = max(abs(a / b - 1) for a, b in zip(found[0][:iterations], plain[0][:iterations], strict=True))
    assert worst < 1e-3, (name, found[0], plain[0])
    assert len(found[0]) == len(plain[0]) > 18
    assert found[1].keys() == plain[1].keys()
    if get_rank() == 0:
        print(f'{name}: as plain')


torch.set_num_threads(1)
if 'alone' not in sys.argv:
    torch.distributed.init_process_group('gloo')
plain = run('plain')
compare('averaged weights', run('ema', EMAHook()))
# The second forward pass of a part updates its batch statistics again, which the last stage then uses.
compare('activation checkpointing', run('repeated', activation_checkpointing=['backbone.layer2']), 8)
if get_world_size() == 1:
    compare('channels last', run('channels', ChannelsLast()))
    compare('compiled', run('compiled', compile=dict(backend='eager')))
else:
    compare('find_unused_parameters', run('unused', wrapper=dict(find_unused_parameters=True)))
    compare('static_graph', run('static', wrapper=dict(static_graph=True)))
finish()
