"""One of several processes: trains stages that replace the head, the loss and the optimiser, from the best weights.

The argument is the folder. All processes must hold one model, and their wrapper must wait for what learns.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from digits_run import short_config, train
from mmengine.dist import all_gather, get_world_size
from mmengine.hooks import Hook

from mmdrl.engine.model_parts import unwrap
from mmdrl.launch import finish

STAGES: list[dict[str, Any]] = [
    dict(name='plain', epochs=2, loss_weights=dict(loss_dr=0.0)),
    dict(
        name='scales',
        epochs=1,
        load_best='all',
        head=dict(classifier=dict(type='mmdrl.LWSClassifier')),
        freeze=['backbone', 'head.fc.weight', 'head.fc.bias'],
        optim_wrapper=dict(optimizer=dict(_delete_=True, type='Adam', lr=0.01)),
    ),
    dict(
        name='cosine',
        epochs=1,
        head=dict(classifier=dict(_delete_=True, type='mmdrl.CosineClassifier', learn_scale=True)),
        loss=dict(type='mmdrl.LDAMLoss'),
        lr=0.01,
    ),
]


class Same(Hook):
    """All processes hold one model after every iteration, and everything that learns gets a gradient."""

    priority = 'LOWEST'

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        for name, tensor in unwrap(runner.model).named_parameters():
            first, *others = all_gather(tensor.detach())
            assert all(torch.equal(first, other) for other in others), f'{name} differs in iteration {runner.iter}'


torch.distributed.init_process_group('gloo')
cfg = short_config(Path(sys.argv[1]), STAGES, test_cfg=None, test_dataloader=None, test_evaluator=None)
cfg.launcher = 'pytorch'
cfg.train_cfg.val_interval = 1
cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
model = unwrap(train(cfg, Same()).model)
assert type(model.head.fc).__name__ == 'CosineClassifier'
assert type(model.head.loss_module).__name__ == 'LDAMLoss'
assert model.head.loss_module.class_counts.tolist() == model.head.class_counts.tolist() != [0] * 10
print(f'{get_world_size()} processes agree')
finish()
