"""One of several processes: what checkpoints inside an epoch hold of all of them, and what if nobody foresaw one.

The first argument is the folder.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from digits_run import short_config, train
from mmengine.dist import all_gather, barrier, get_rank
from mmengine.hooks import CheckpointHook, Hook
from torch.testing import assert_close

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.model_parts import unwrap
from mmdrl.launch import finish

BATCH_STATISTICS = ('backbone.bn1.running_mean', 'backbone.layer2.0.bn1.running_var')
SUMS = 'head.centroids.sums'


class Compare(Hook):
    """Compares each checkpoint with what the processes have right after it was saved."""

    priority = 'LOWEST'

    def __init__(self, folder: Path, is_common: bool, means: bool):
        self.folder, self.is_common, self.means = folder, is_common, means
        self.compared = 0

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        barrier()
        path = self.folder / f'iter_{runner.iter + 1}.pth'
        if not path.is_file() or self.is_last_train_iter(runner):  # the last interval is published
            return
        checkpoint = read_checkpoint(str(path))
        assert checkpoint is not None
        saved, live = checkpoint['state_dict'], unwrap(runner.model).state_dict()
        for name in BATCH_STATISTICS:
            shares = torch.stack(all_gather(live[name]))
            assert not torch.equal(*shares)
            assert_close(saved[name], shares.mean(dim=0) if self.means and self.is_common else shares[0])
        counts = torch.stack(all_gather(live[f'{SUMS}.counts']))
        means = torch.stack(all_gather(live[f'{SUMS}.mean']))
        assert counts.sum() == 64 * (runner.iter + 1)
        if not self.is_common:
            counts, means = counts[:1], means[:1]
        total = counts.sum(dim=0)
        assert_close(saved[f'{SUMS}.counts'], total)
        weighted = (counts[:, :, None] * means).sum(dim=0) / total.clamp_min(1)[:, None]
        assert_close(saved[f'{SUMS}.mean'], weighted)
        self.compared += 1


def check(name: str, is_common: bool = True, means: bool = True, extra: int | None = None) -> None:
    """Train five iterations.

    Args:
        name: Of the folder.
        is_common: Whether checkpoints are expected to hold what all processes know.
        means: Whether the run has a ``SyncBuffersHook``.
        extra: Interval of another ``CheckpointHook``, on the first process alone.
    """
    folder = Path(sys.argv[1]) / name
    cfg = short_config(folder)
    cfg.launcher = 'pytorch'
    for key in ('stages',) if means else ('stages', 'sync_buffers'):
        del cfg.default_hooks[key]
    cfg.train_cfg = dict(type='mmdrl.ResumableIterLoop', max_iters=5)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.param_scheduler = None
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=2)
    cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    compare = Compare(folder, is_common, means)
    others = [CheckpointHook(by_epoch=False, interval=extra)] if extra and get_rank() == 0 else []
    runner = train(cfg, compare, *others)
    assert compare.compared >= 2
    if get_rank() == 0:
        log = next(Path(runner.log_dir).glob('*.log')).read_text()
        assert ('different CheckpointHooks' in log) == (not is_common)
        print(f'{name}: {compare.compared} checkpoints are as expected')


torch.distributed.init_process_group('gloo')
check('common')
check('unsynchronised', means=False)
check('disagreement', is_common=False, extra=1)
finish()
