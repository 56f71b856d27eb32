"""The plan of a run before it runs: what each stage trains, on what, how long and at which rate."""

import tempfile
import warnings
from collections.abc import Callable
from typing import Any

from mmengine.config import Config
from mmengine.runner import IterBasedTrainLoop
from torch import nn

from mmdrl.errors import ConfigError

from .augmented_once import batch_augments, check_augmented_once, training_pipeline
from .build import build_runner, start
from .dry_run import DryRunner
from .hooks import TwoStageHook
from .learning_rates import learning_rates
from .model_parts import frozen_parts
from .stages import Stage, StagePlan
from .stages.head import head_config
from .stages.images import mixing_parts
from .stages.schedule import optim_config
from .stages.stage import plain


def describe_run(cfg: Config, processes: int = 1) -> dict[str, Any]:
    """What a config trains, found by setting it up without training; nothing is written, no GPU is used.

    Args:
        cfg: A config of :func:`mmdrl.engine.config.load_config`; stays as it is.
        processes: How many share the batches.

    Returns:
        ``epochs`` and ``iterations`` of the run, ``parameters`` of the model, ``processes``, ``unread`` (why a data set
        was not read, by loader) and ``stages``, one dict each, in plain values. A number that only missing data or a
        validation could tell is ``None``.

    Raises:
        MMDRLError: If config and data do not fit, as training would.
    """
    if processes < 1:
        raise ConfigError(f'Expected at least one process, got {processes}.')
    missing = [key for key in ('train_dataloader', 'train_cfg', 'optim_wrapper') if cfg.get(key) is None]
    if missing:
        raise ConfigError(f'The config trains nothing: it has no {", no ".join(missing)}.')
    check_augmented_once(cfg)
    with tempfile.TemporaryDirectory(prefix='describe_') as folder, warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of schedules that step without their optimiser
        runner = build_runner(DryRunner.quiet_config(cfg, folder), DryRunner)
        runner.processes = processes
        start(runner.set_up, runner)
        stages = _walk(runner)
    total = [stage['iterations'] for stage in stages]
    description = dict(
        epochs=None if stages[-1]['epochs'] is None else stages[-1]['epochs'][1],
        iterations=None if None in total else sum(total),
        parameters=stages[-1]['parameters'],
        processes=processes,
        load_from=cfg.get('load_from'),
        unread=runner.unread,
        stages=stages,
    )
    return dict(plain(description))


def _walk(runner: DryRunner) -> list[dict[str, Any]]:
    """Enter the stages one after the other."""
    loop = runner.train_loop
    hook = next((hook for hook in runner.hooks if isinstance(hook, TwoStageHook)), None)
    if hook is None:
        counts = isinstance(loop, IterBasedTrainLoop)
        plan = StagePlan([dict(name='train', epochs=1 if counts else loop.max_epochs)])
        return [_describe(runner, plan, 0)]
    hook._best.clear()  # there are no best weights to begin with
    found = []
    for index in range(len(hook.plan)):
        loop._epoch = hook.plan.begin(index)
        hook.before_train_epoch(runner)
        found.append(_describe(runner, hook.plan, index))
    return found


def _describe(runner: DryRunner, plan: StagePlan, index: int) -> dict[str, Any]:
    """The stage that has been entered; its schedule is run to its end."""
    stage, model, loop = plan[index], runner.model, runner.train_loop
    batches: int | None = len(runner.train_dataloader)
    if not _is_length_known(runner, plan, index):
        batches = None
    if isinstance(loop, IterBasedTrainLoop):
        epochs, iterations = None, loop.max_iters
    else:
        epochs = (plan.begin(index) + 1, plan.begin(index + 1))
        iterations = None if batches is None else batches * stage.epochs
    own = plan.schedule_at(index)
    optimiser = dict(runner.cfg.optim_wrapper) if own is None else optim_config(runner.cfg, own)
    schedule = runner.cfg.get('param_scheduler') if index == 0 and own is None else stage.param_scheduler
    return dict(
        name=stage.name,
        epochs=epochs,
        iterations=iterations,
        iterations_per_epoch=batches,
        batch_size=runner.train_dataloader.batch_size or runner.train_dataloader.batch_sampler.batch_size,
        sampler=plan.sampler_at(index) or runner.cfg.train_dataloader.get('sampler'),
        pipeline=stage.pipeline or training_pipeline(runner.cfg),
        augments=batch_augments(runner.cfg) if stage.augments is None else stage.augments,
        mixing=mixing_parts(model, runner.train_dataloader.dataset),
        **_head(runner, plan, index),
        parameters=sum(p.numel() for p in model.parameters()),
        learned=sum(p.numel() for p in model.parameters() if p.requires_grad),
        learned_parts=_whole_parts(model, lambda parameter: parameter.requires_grad),
        frozen=_whole_parts(model, lambda parameter: not parameter.requires_grad) + _still(model, stage),
        reset=list(stage.reset),
        optim_wrapper=optimiser,
        begins_schedule=index == 0 or stage.has_own_schedule,
        param_scheduler=[schedule] if isinstance(schedule, dict) else schedule,
        lr=learning_rates(runner, None if epochs is None else stage.epochs, batches if epochs else iterations),
        load_best=None if stage.load_best is None else dict(vars(stage.load_best), stage=plan[index - 1].name),
    )


def _is_length_known(runner: DryRunner, plan: StagePlan, index: int) -> bool:
    """Whether the epoch is as long as the loader says, which may stand on data that were not read."""
    loader = runner.cfg.train_dataloader
    sampler = plan.sampler_at(index) or loader.get('sampler') or {}
    if 'train_dataloader' not in runner.unread or isinstance(sampler.get('num_samples'), int):
        return True
    return plan[index].sampler is None and bool(loader.get('num_batch_per_epoch'))


def _head(runner: DryRunner, plan: StagePlan, index: int) -> dict[str, Any]:
    """Head, classifier and losses of a stage."""
    head: Any = getattr(runner.model, 'head', None)
    config = head_config(runner.cfg, plan, index)
    loss = getattr(head, 'loss_module', None)
    kind = None if loss is None else dict(type=type(loss).__name__)
    fc = getattr(head, 'fc', None)
    return dict(
        head=None if head is None else type(head).__name__,
        classifier=config.get('classifier') or (None if fc is None else dict(type=type(fc).__name__)),
        prediction={key: config[key] for key in ('predict_with', 'logit_adjustment') if config.get(key)},
        loss=plan[index].loss or config.get('loss') or kind,
        dr_loss=config.get('dr_loss'),
        loss_weights=dict(getattr(head, 'loss_scale', None) or {}),
    )


def _whole_parts(module: nn.Module, fits: Callable[[nn.Parameter], bool], name: str = '') -> list[str]:
    """Names of the largest parts of a module all of whose parameters fit."""
    fit = [fits(parameter) for parameter in module.parameters()]
    if name and fit and all(fit):
        return [name]
    if not any(fit):
        return []
    dot = f'{name}.' if name else ''
    found = [dot + key for key, parameter in module.named_parameters(recurse=False) if fits(parameter)]
    for key, child in module.named_children():
        found += _whole_parts(child, fits, dot + key)
    return found


def _still(model: nn.Module, stage: Stage) -> list[str]:
    """Patterns that freeze statistics alone."""
    return [pattern for pattern in stage.freeze if not frozen_parts(model, pattern, stage.name).parameters]
