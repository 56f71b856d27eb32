"""Whether a stage fits the model and the run at hand, and what its loss weights mean there."""

from bisect import bisect
from typing import Any

from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from torch import nn

from mmdrl.engine.held_out import shows_same_images
from mmdrl.engine.metric_names import measured_metrics
from mmdrl.engine.model_parts import check_can_be_initialised, frozen_parts, matching_modules, unwrap
from mmdrl.errors import ConfigError
from mmdrl.models import DRHead
from mmdrl.models.losses import build_loss

from .best import not_measured
from .counted import check_counted
from .head import stage_head
from .images import mixing_parts, wants_scores
from .plan import StagePlan
from .schedule import check_schedule
from .stage import Stage
from .tried import try_loss


def check_stages(runner: Runner, plan: StagePlan, lengths: list[int]) -> None:
    """Check every stage, with the head that it will have, before training.

    Args:
        runner: With a training loop.
        plan: The stages.
        lengths: Iterations in an epoch of each.

    Raises:
        ConfigError: If one does not fit.
    """
    if not hasattr(runner.optim_wrapper, 'optimizer'):
        raise ConfigError('TwoStageHook needs one optimizer, got several (an OptimWrapperDict).')
    model = unwrap(runner.model)
    own: Any = getattr(model, 'head', None)
    try:
        for index, stage in enumerate(plan.stages):
            if stage.head is not None:
                model.head = stage_head(runner.cfg, plan, index, own)
            check_stage(runner, model, stage)
            if stage.has_own_schedule:
                check_schedule(runner, stage, lengths[index])
            check_best(runner, plan, index)
    finally:
        if own is not None:
            model.head = own


def check_stage(runner: Runner, model: nn.Module, stage: Stage) -> None:
    """What the stage freezes, initialises anew, weighs and switches off must be there.

    Args:
        runner: With a training loop.
        model: Not wrapped, with the head of the stage.
        stage: The stage.

    Raises:
        ConfigError: If it is not, or nothing would be left to learn.
    """
    frozen = {id(p) for pattern in stage.freeze for p in frozen_parts(model, pattern, stage.name).parameters}
    if {id(p) for p in model.parameters()} <= frozen:
        raise ConfigError(f'Stage {stage.name!r} freezes {", ".join(stage.freeze)}, which leaves nothing to learn.')
    for pattern in stage.reset:
        modules = matching_modules(model, pattern, stage.name)
        if not any(hasattr(part, 'reset_parameters') for module in modules for part in module.modules()):
            raise ConfigError(
                f'Stage {stage.name!r}: reset={pattern!r} resets nothing: {type(modules[0]).__name__} has nothing that '
                'could be initialised anew. Leave it out.'
            )
        for module in modules:
            check_can_be_initialised(module, pattern)
    scales = loss_scales(model, stage)
    if scales and not any(any(scale.values()) for _, scale in scales):
        raise ConfigError(f'Stage {stage.name!r}: all loss_weights are 0, which leaves nothing to learn from.')
    loss = stage_loss(model, stage)
    if loss is not None:
        check_counted(runner, loss)
    if loss is not None and list(loss.parameters()) and not stage.has_own_schedule:
        raise ConfigError(
            f'Stage {stage.name!r}: {type(loss).__name__} has parameters to learn, which the optimiser that runs does '
            'not know. Give the stage an lr.'
        )
    mixing = mixing_parts(model, runner.train_loop.dataloader.dataset)
    head: Any = getattr(model, 'head', None)
    own = getattr(head, 'loss_module', None)
    is_scored = (bool(mixing) and stage.mixing) or wants_scores(runner.cfg)
    try_loss(stage, head, own if loss is None else loss, is_scored, runner.train_loop.dataloader.dataset)
    if not stage.mixing and not mixing:
        raise ConfigError(
            f'Stage {stage.name!r}: mixing=False switches nothing off, as neither the data preprocessor '
            '(batch_augments) nor the training set mixes images. Leave it out.'
        )
    has_dr_loss = any(scale['loss_dr'] for head, scale in scales if isinstance(head, DRHead) and head.dr_loss)
    if stage.mixing and has_dr_loss and mixing:
        raise ConfigError(
            f'Stage {stage.name!r} has the DR loss, which needs one label per image, and mixes images. Give the stage '
            'mixing=False, or loss_weights=dict(loss_dr=0.).'
        )
    if stage.head is not None and any(isinstance(hook, EMAHook) for hook in runner.hooks):
        raise ConfigError(
            f'Stage {stage.name!r} replaces the head, which the averaged model of EMAHook cannot follow. Remove '
            'EMAHook, or name the head in model.head and freeze or reset its parts by stages.'
        )


def check_best(runner: Runner, plan: StagePlan, index: int) -> None:
    """Whether the best weights of the stage before can be told by a metric of data held out.

    Raises:
        ConfigError: If validation does not run in that stage, does not measure the metric, or shows the test images.
    """
    choice, before = plan[index].load_best, plan[index - 1]
    if choice is None:
        return
    loop, validation = runner.train_loop, runner.val_loop
    first, last = plan.begin(index - 1) + 1, plan.begin(index)
    if validation is None or not any(_is_validated(loop, epoch) for epoch in range(first, last + 1)):
        raise ConfigError(
            f'load_best needs a validation in stage {before.name!r}, epochs {first} to {last}, and there is none. Set '
            'train_cfg.val_begin and val_interval, and a val_dataloader.'
        )
    if shows_same_images(runner.cfg.get('val_dataloader'), runner.cfg.get('test_dataloader')):
        raise ConfigError(
            'load_best chooses weights by validation, but val_dataloader shows the test images, on which no choice may '
            "rest. Hold images out of the training set (mmdrl.LongTailDataset(part='holdout')), or take "
            'test_dataloader out of the config if these are no test images.'
        )
    if shows_same_images(runner.cfg.get('val_dataloader'), runner.cfg.get('train_dataloader')):
        raise ConfigError(
            'load_best chooses weights by validation, but val_dataloader shows the training images. Hold images out of '
            "the training set (mmdrl.LongTailDataset(part='holdout'))."
        )
    names = measured_metrics(runner)
    if names is not None and choice.metric not in names:
        raise not_measured(choice.metric, before.name, names)


def stage_loss(model: nn.Module, stage: Stage) -> nn.Module | None:
    """The classification loss of a stage, built anew; ``None`` if it has none of its own.

    Raises:
        ConfigError: If it cannot be built, or the head takes none.
    """
    if stage.loss is None:
        return None
    head: Any = getattr(model, 'head', None)
    if not isinstance(getattr(head, 'loss_module', None), nn.Module):
        raise ConfigError(
            f'Stage {stage.name!r} has a loss, but the model has no head with a loss_module to put it into.'
        )
    return build_loss(stage.loss, getattr(head, 'num_classes', None), owner=f'Stage {stage.name!r}')


def loss_scales(model: nn.Module, stage: Stage) -> list[tuple[Any, dict[str, float]]]:
    """Heads and the factors of their losses in this stage."""
    heads: list[Any] = [module for module in model.modules() if isinstance(getattr(module, 'loss_scale', None), dict)]
    known = set().union(*(head.loss_scale for head in heads)) if heads else set()
    if stage.loss_weights and not known:
        raise ConfigError(
            f'Stage {stage.name!r} has loss_weights, but the model has one loss only (mmdrl.DRHead has loss_cls and '
            'loss_dr). Leave them out.'
        )
    if not set(stage.loss_weights) <= known:
        raise ConfigError(
            f'Stage {stage.name!r}: loss_weights may name {", ".join(sorted(known))}, '
            f'got {", ".join(stage.loss_weights)}. (mmdrl.DRHead has loss_cls and loss_dr.)'
        )
    return [(head, {name: float(stage.loss_weights.get(name, 1.0)) for name in head.loss_scale}) for head in heads]


def _is_validated(loop: Any, epoch: int) -> bool:
    """Whether validation follows an epoch, counted from 1."""
    interval = loop.dynamic_intervals[bisect(loop.dynamic_milestones, epoch + 1) - 1]
    return epoch >= loop.val_begin and (epoch % interval == 0 or epoch == loop.max_epochs)
