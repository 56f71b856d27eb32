"""One of several processes: the exact pass before the first epoch, whose centroids must be those of one process."""

import sys
from pathlib import Path
from typing import Any

import torch
from digits_run import short_config, train
from mmengine.dist import all_gather, get_rank, get_world_size
from mmengine.hooks import Hook

from mmdrl.engine.model_parts import unwrap
from mmdrl.launch import finish


class Keep(Hook):
    """Keeps the centroids that the first iteration finds; the weights are those that the seed has made."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == 0:
            self.state = {k: v.clone() for k, v in unwrap(runner.model).head.centroids.state_dict().items()}


torch.distributed.init_process_group('gloo')
folder, path = Path(sys.argv[1]), Path(sys.argv[2])
cfg = short_config(folder, [dict(name='only', epochs=1)])
cfg.launcher = 'pytorch'
cfg.model.head.centroids.mode = 'epoch'
cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
keep = Keep()
head = unwrap(train(cfg, keep).model).head
for name, buffer in [*keep.state.items(), *head.centroids.state_dict(prefix='last ').items()]:
    first, *others = all_gather(buffer)
    assert all(torch.equal(first, other) for other in others), f'{name} differs between processes'
if get_world_size() == 1:
    torch.save(keep.state, path)
elif get_rank() == 0:
    whole = torch.load(path)
    assert whole['is_seen'].all()
    worst = max(float((whole[key] - keep.state[key]).abs().max()) for key in ('centroids', 'variances'))
    scale = float(whole['variances'].max())
    print(f'{get_world_size()} processes: centroids deviate by {worst / scale:.1e} of the spread')
    assert worst < 1e-5 * scale
finish()
left = [task.read_text().strip() for task in Path('/proc/self/task').glob('*/comm')]
assert not any('gloo' in name for name in left), f'threads that can abort the process at its end: {left}'
