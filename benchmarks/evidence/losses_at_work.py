"""A trained model as it stood in training: in the stage that had the DR loss, with the batches of that stage.

The runner of a dry run builds all that training needs and never trains; the weights are those of a checkpoint.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from mmengine.config import Config

from mmdrl.engine.build import build_runner, start
from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.dry_run import DryRunner
from mmdrl.engine.hooks import TwoStageHook
from mmdrl.engine.loops.order import set_order_epoch
from mmdrl.engine.model_parts import find_head
from mmdrl.errors import DataError


class AtWork(NamedTuple):
    """What trains in a stage.

    Attributes:
        model: With the weights of the checkpoint, in training mode but for frozen parts.
        batches: Of the stage, as its loader gives them to the data preprocessor.
        stage: Name of the stage, ``''`` for a run without stages.
    """

    model: Any
    batches: list[Any]
    stage: str


def losses_at_work(config: Config, checkpoint: str | Path, num_batches: int) -> AtWork | None:
    """The last stage with the DR loss, or ``None`` if the run has no such loss.

    The weights may be those of a later stage. A part of the head that this stage has in another shape keeps the values
    it was initialised with.

    Args:
        config: Of the run.
        checkpoint: Of the run.
        num_batches: How many batches of the stage's last epoch; fewer if it has no more.

    Raises:
        MMDRLError: If the training data are not there, or config and checkpoint do not fit.
    """
    content = read_checkpoint(str(checkpoint)) or {}
    with TemporaryDirectory() as folder:
        runner = build_runner(DryRunner.quiet_config(config, folder), DryRunner)
        head = find_head(runner.model)
        if head is None or not any(layer.weight * layer.dr_loss.loss_weight for layer in head.dr_layers):
            return None
        start(runner.set_up, runner)
    if runner.unread:
        raise DataError(' '.join(runner.unread.values()))
    epoch, stage, frozen = runner.train_loop.max_epochs - 1, '', []
    hook = next((hook for hook in runner.hooks if isinstance(hook, TwoStageHook)), None)
    if hook is not None:
        indices = [i for i, stage in enumerate(hook.plan.stages) if stage.loss_weights.get('loss_dr', 1.0) > 0]
        if not indices:
            return None
        epoch, stage = hook.plan.begin(indices[-1] + 1) - 1, hook.plan[indices[-1]].name
        _enter(runner, hook, indices[-1])
        frozen = hook._frozen
    model = runner.model
    known = model.state_dict()
    saved = content.get('state_dict', {})
    model.load_state_dict({k: v for k, v in saved.items() if k in known and known[k].shape == v.shape}, strict=False)
    model.train()
    for module in frozen:
        module.eval()
    return AtWork(model, list(islice(_batches(runner, epoch), num_batches)), stage)


def _enter(runner: DryRunner, hook: TwoStageHook, index: int) -> None:
    """What ``TwoStageHook`` changes from the first stage to this one, optimiser and schedule left out."""
    for number in range(index + 1):
        hook._replace_head(runner, number)
    hook._set_up(runner, index, None)


def _batches(runner: DryRunner, epoch: int) -> Iterator[Any]:
    """Batches of an epoch, counted from 0, with the images and random numbers that training had."""
    loop = runner.train_loop
    set_order_epoch(loop.dataloader, epoch)
    torch.manual_seed(runner.seed)  # for a loop that is not ours
    if not hasattr(loop, 'seed_images'):
        return iter(loop.dataloader)
    loop.seed_images(epoch)
    return loop.seeded(iter(loop.dataloader))
