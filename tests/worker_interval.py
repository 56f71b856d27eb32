"""One of several processes: a validation in the middle of an interval leaves the sums of each process as they are."""

import sys
from pathlib import Path
from typing import Any

import torch
from digits_run import short_config, train
from mmengine.dist import all_gather, get_rank
from mmengine.hooks import Hook

from mmdrl.engine.model_parts import unwrap
from mmdrl.launch import finish


class Sums(Hook):
    """Keeps the sums that validation finds, and compares them with those that the next step finds."""

    priority = 'HIGHEST'
    compared = 0

    def before_val(self, runner: Any) -> None:
        if runner.iter != 3:
            return  # the last one, after publication
        sums = unwrap(runner.model).head.centroids.sums
        first, second = all_gather(sums.mean)
        assert not torch.equal(first, second)
        self.kept = {name: buffer.clone() for name, buffer in sums.named_buffers()}

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == 3:
            for name, buffer in unwrap(runner.model).head.centroids.sums.named_buffers():
                assert torch.equal(buffer, self.kept[name]), name
                self.compared += 1


torch.distributed.init_process_group('gloo')
cfg = short_config(Path(sys.argv[1]))
cfg.launcher = 'pytorch'
del cfg.default_hooks.stages
cfg.train_cfg = dict(by_epoch=False, max_iters=5, val_interval=3)
cfg.param_scheduler = None
cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=5)
cfg.default_hooks.centroids.interval = 5
cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
sums = Sums()
train(cfg, sums)
assert sums.compared == 3
if get_rank() == 0:
    print('sums are as they were')
finish()
