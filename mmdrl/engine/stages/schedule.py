"""Optimiser and learning-rate schedule of a stage."""

from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from mmdrl.errors import ConfigError
from mmdrl.registry import OPTIMIZERS

from .head import merged
from .plan import StagePlan
from .stage import Stage
from .tried import try_schedules


def optim_config(cfg: Any, stage: Stage) -> dict[str, Any]:
    """Config of a stage's optimiser: the run's, with the changes and the rate of the stage.

    Raises:
        ConfigError: If the config has none to change, or one for each of several parts.
    """
    base = cfg.get('optim_wrapper')
    if not isinstance(base, dict) or not isinstance(base.get('optimizer'), dict):
        raise ConfigError(
            f'Stage {stage.name!r} has an optimiser or a schedule of its own, which needs one '
            'optim_wrapper=dict(optimizer=dict(...)) in the config.'
        )
    config = merged(base, stage.optim_wrapper or {})
    if not isinstance(config.get('optimizer'), dict) or 'type' not in config['optimizer']:
        raise ConfigError(
            f'Stage {stage.name!r}: optim_wrapper must hold optimizer=dict(type=...), got {config.get("optimizer")!r}.'
        )
    if stage.lr is not None:
        config['optimizer']['lr'] = stage.lr
    return config


def check_optimiser(config: Any, what: str) -> None:
    """The optimiser of an ``optim_wrapper`` must be registered; several, or one that is built, are left to MMEngine.

    Args:
        config: The wrapper's.
        what: The beginning of the message.

    Raises:
        ConfigError: If it is not.
    """
    kind = ((config.get('optimizer') if isinstance(config, dict) else None) or {}).get('type')
    if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
        raise ConfigError(f'{what} must name a registered optimiser, such as SGD or AdamW, got type={kind!r}.')


def start_schedule(runner: Runner, stage: Stage, epoch_length: int) -> None:
    """Give the runner a new optimiser, without state, over the model as it is, and the schedule of the stage.

    To be called before anything is frozen: MMEngine leaves what is frozen out of an optimiser with ``paramwise_cfg``,
    and it would not learn in a later stage that goes on with that optimiser.

    Args:
        runner: With a training loop.
        stage: The stage.
        epoch_length: Iterations in one of its epochs.

    Raises:
        ConfigError: If they cannot be built.
    """
    config, schedules = optim_config(runner.cfg, stage), stage.param_scheduler or []
    check_optimiser(config, f'Stage {stage.name!r}: optimizer')
    try:
        wrapper: OptimWrapper = runner.build_optim_wrapper(config)
        runner.param_schedulers = []  # or scaling the rate would be refused, as it must come first
        runner.scale_lr(wrapper, runner.auto_scale_lr)
        runner.optim_wrapper = wrapper
        runner.param_schedulers = runner.build_param_scheduler(
            [_ended(entry, stage, epoch_length) for entry in schedules]
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise ConfigError(
            f'Stage {stage.name!r}: optimiser or schedule do not fit: {error}. Mend its optim_wrapper or '
            'param_scheduler.'
        ) from error


def check_schedule(runner: Runner, stage: Stage, epoch_length: int) -> None:
    """Whether optimiser and schedule of a stage can be built; the runner keeps its own.

    Raises:
        ConfigError: If they cannot.
    """
    own = runner.optim_wrapper, runner.param_schedulers
    try:
        start_schedule(runner, stage, epoch_length)
        try_schedules(stage, runner.param_schedulers, epoch_length)
    finally:
        runner.optim_wrapper, runner.param_schedulers = own


def fit_run_schedule(runner: Runner, plan: StagePlan, lengths: list[int]) -> None:
    """Let the config's schedule, as far as it counts iterations, know how many the stages have.

    MMEngine has built it for a run whose epochs all are as long as one of the config's loader.

    Args:
        runner: Whose training loop knows the number of all iterations.
        plan: The stages.
        lengths: Iterations of every epoch of the run.

    Raises:
        ConfigError: If a schedule is converted from epochs to iterations, but its epochs are of different lengths.
    """
    usual, entries = len(runner.train_dataloader), runner.cfg.get('param_scheduler') or []
    entries = [entry for entry in ([entries] if isinstance(entries, dict) else entries) if isinstance(entry, dict)]
    own = [plan.begin(index) for index, stage in enumerate(plan.stages) if stage.has_own_schedule]
    for entry in entries:
        last = min([entry.get('end', plan.max_epochs), *own])
        other = next((length for length in lengths[:last] if length != usual), None)
        if entry.get('convert_to_iter_based') and other is not None:
            raise ConfigError(
                f'param_scheduler {entry.get("type")} with convert_to_iter_based counts {usual} iterations for every '
                f'epoch, but those of a stage have {other}. Leave convert_to_iter_based out, or give the stages a '
                'param_scheduler each.'
            )
    is_open = any(not entry.get('by_epoch', True) and 'end' not in entry for entry in entries)
    if is_open and any(length != usual for length in lengths) and isinstance(runner.cfg.get('optim_wrapper'), dict):
        wrapper = runner.build_optim_wrapper(runner.cfg.optim_wrapper)
        runner.param_schedulers = []
        runner.scale_lr(wrapper, runner.auto_scale_lr)
        runner.optim_wrapper = wrapper
        runner.param_schedulers = runner.build_param_scheduler(entries)


def _ended(schedule: dict[str, Any], stage: Stage, epoch_length: int) -> dict[str, Any]:
    """A schedule ends with its stage unless it says when; MMEngine's would with the run."""
    length = 1 if schedule.get('by_epoch', True) else epoch_length
    return dict(end=stage.epochs * length) | schedule
