"""One of several processes: trains the short digits job and checks that all processes hold the same model.

The first argument is the folder, the second the mode of the centroids.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from digits_run import short_config, train
from mmengine.dist import all_gather, all_reduce, get_world_size
from mmengine.hooks import Hook
from torch.testing import assert_close

from mmdrl.engine.model_parts import unwrap
from mmdrl.launch import finish


class Oracle(Hook):
    """Checks that an epoch's centroids are the moments over the samples of all processes, each counted once."""

    priority = 'HIGH'
    checked = 0

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if self.end_of_epoch(runner.train_dataloader, batch_idx):
            sums = unwrap(runner.model).head.centroids.sums
            mean, _, counts = sums.of_all_processes()
            # Squares add up without regard to who has them.
            squares = sums.counts * (sums.variance + sums.mean.square().sum(dim=1))
            all_reduce(squares)
            self.mean, self.variance = mean, squares / counts - mean.square().sum(dim=1)
            self.occurred = counts > 0

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter > 0 and batch_idx == 0:
            found = unwrap(runner.model).head.centroids
            assert_close(found.centroids[self.occurred], self.mean[self.occurred])
            assert_close(found.variances[self.occurred], self.variance[self.occurred], rtol=1e-3, atol=1e-3)
            self.checked += 1


torch.distributed.init_process_group('gloo')
cfg = short_config(Path(sys.argv[1]))
cfg.launcher = 'pytorch'
# Radii and projections of two layers learn in the second stage only.
cfg.model.backbone.out_indices = (1, 2)
cfg.model.head.update(dr_layers=(-2, -1), dr_channels=(32, 64), dr_projection=(16,))
cfg.model.head.centroids = dict(mode=sys.argv[2])
cfg.model.head.dr_loss.radius = dict(type='mmdrl.LearnedRadius')
cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
oracle = Oracle()
model = unwrap(train(cfg, *[oracle] * (sys.argv[2] == 'running')).model)
assert oracle.checked == (4 if sys.argv[2] == 'running' else 0)
for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
    first, *others = all_gather(tensor.detach())
    assert all(torch.equal(first, other) for other in others), f'{name} differs between processes'
assert model.head.class_counts.tolist() == [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
assert model.head.centroids.is_seen.all()
assert not model.backbone.conv1.weight.requires_grad
print(f'{get_world_size()} processes agree')
finish()
