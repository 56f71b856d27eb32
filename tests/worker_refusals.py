"""One of several processes: set-ups in which they could not train one model are refused by all, before a step."""

import sys
from pathlib import Path
from typing import Any

import torch
from digits_run import short_config, train
from mmengine.dist import all_gather_object, get_rank

from mmdrl.errors import ConfigError
from mmdrl.launch import finish

ONE_STAGE = [dict(name='only', epochs=1)]


def attempt(name: str, *, broadcast_buffers: bool = False, mode: str = 'running', **loader: Any) -> str:
    """What the run says: a refusal, or that it has trained."""
    cfg = short_config(Path(sys.argv[1]) / name, ONE_STAGE, **{'model.head.centroids.mode': mode})
    cfg.launcher = 'pytorch'
    cfg.train_dataloader.update(loader)
    cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=broadcast_buffers)
    try:
        train(cfg)
    except ConfigError as error:
        return str(error)
    return 'trained'


uneven = dict(type='DefaultSampler', shuffle=True, round_up=False)  # 166 and 165 images, 6 batches each
torch.distributed.init_process_group('gloo')
for name, wanted, settings in (
    ('uneven', 'round_up=True', dict(sampler=uneven)),
    ('even', 'trained', dict(sampler=uneven, drop_last=True)),
    ('overwritten', 'broadcast_buffers=False', dict(broadcast_buffers=True)),
    ('moving', 'trained', dict(broadcast_buffers=True, mode='ema')),
):
    answers = all_gather_object(attempt(name, **settings))
    assert all(wanted in answer for answer in answers), (name, answers)
    if get_rank() == 0:
        print(f'{name}: {len(answers)} processes say {wanted}')
finish()
