"""One of several processes: trains the short digits job and checks that all processes hold the same model."""

import sys
from pathlib import Path

import torch
from digits_run import short_config, train
from mmengine.dist import all_gather, get_world_size

from mmdrl.engine.model_parts import unwrap

torch.distributed.init_process_group('gloo')
cfg = short_config(Path(sys.argv[1]))
cfg.launcher = 'pytorch'
# Radii and projections of two layers learn in the second stage only.
cfg.model.backbone.out_indices = (1, 2)
cfg.model.head.update(dr_layers=(-2, -1), dr_channels=(32, 64), dr_projection=(16,))
cfg.model.head.dr_loss.radius = dict(type='mmdrl.LearnedRadius')
cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
runner = train(cfg)
model = unwrap(runner.model)
for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
    first, *others = all_gather(tensor.detach())
    assert all(torch.equal(first, other) for other in others), f'{name} differs between processes'
assert model.head.class_counts.tolist() == [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
assert model.head.centroids.is_seen.all()
assert not model.backbone.conv1.weight.requires_grad
print(f'{get_world_size()} processes agree')
torch.distributed.destroy_process_group()
