"""One of several processes: a batch of one of them is not finite, and all must stop or skip together."""

import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from digits_run import short_config, train
from mmengine.dist import all_gather_object, get_rank
from mmengine.hooks import Hook

from mmdrl.engine.model_parts import unwrap
from mmdrl.engine.step_notes import StepNotes
from mmdrl.errors import DivergenceError
from mmdrl.launch import finish


class SpoilOne(Hook):
    """Gives the last process an image of nan at one iteration, and a gradient at another."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.images = all_gather_object(data_batch['data_samples'][2].sample_idx)
        if runner.iter == 3 and get_rank() == 1:
            data_batch['inputs'] = [image.float() for image in data_batch['inputs']]
            data_batch['inputs'][2][:] = math.nan
            self.poisoned = self.images[1]


class OnAccelerator(Hook):
    """Lets every step note and look at nothing, as on an accelerator."""

    priority = 'LOWEST'

    def before_train(self, runner: Any) -> None:
        guard = runner.model.train_step
        guard.notes = StepNotes()
        guard._gradients.note = guard.notes.note


class AskToEnd(Hook):
    """One process is asked to end; all are to stop, and the first to save what it knows."""

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == 5 and get_rank() == 1:
            os.kill(os.getpid(), signal.SIGTERM)


def run(folder: Path, head: str, action: str, *hooks: Hook, **changes: Any) -> Any:
    cfg = short_config(folder, [dict(name='only', epochs=1)], **changes)
    cfg.launcher = 'pytorch'
    cfg.train_dataloader.batch_size = 16
    cfg.default_hooks.non_finite.action = action
    cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    if head != 'mmdrl.DRHead':
        cfg.model.head = dict(type=head, num_classes=10, in_channels=64, loss=dict(type='CrossEntropyLoss'))
        cfg.val_evaluator = dict(type='Accuracy')
    return train(cfg, SpoilOne(), *hooks)


def refuse(*settings: Any, **changes: Any) -> None:
    """A run stops with the same sentence on all processes."""
    try:
        run(*settings, **changes)
        said = ''
    except DivergenceError as error:
        said = str(error)
    sentences = all_gather_object(said)
    assert len(set(sentences)) == 1, sentences
    assert 'at iteration 4 (epoch 1): pixels are nan or infinite in image ' in said, said
    assert said.count('of the data of class') == 1, said


torch.distributed.init_process_group('gloo')
folder = Path(sys.argv[1])
for head, accumulations in (('mmdrl.DRHead', (1, 4)), ('LinearClsHead', (4,))):
    refuse(folder / f'{head} stop', head, 'stop')
    for counts in accumulations:
        name = f'{head} {counts}'
        runner = run(folder / name, head, 'skip', **{'optim_wrapper.accumulative_counts': counts})
        assert runner.message_hub.runtime_info['skipped_batches'] == 1
        own = dict(unwrap(runner.model).named_parameters())
        states = all_gather_object({key: value.detach() for key, value in own.items()})
        assert all(torch.equal(states[0][key], states[1][key]) for key in own), f'{name}: weights differ'
        assert all(value.isfinite().all() for value in unwrap(runner.model).state_dict().values()), name
# Notes that are read two iterations later: the first process has seen a bad gradient only, and a later one as well. If
# each went by hooks of its own, they would read after different iterations.
own: dict[str, Any] = {'default_hooks.logger.interval': 7 - get_rank()}
own['default_hooks.checkpoint'] = dict(type='CheckpointHook', by_epoch=False, interval=25 - 20 * get_rank())
refuse(folder / 'noted', 'LinearClsHead', 'stop', OnAccelerator(), **own)
late = {'default_hooks.non_finite.interval': 100}
refuse(folder / 'asked to end', 'LinearClsHead', 'stop', OnAccelerator(), AskToEnd(), **late)
if get_rank() == 0:
    print('2 processes agree')
finish()
