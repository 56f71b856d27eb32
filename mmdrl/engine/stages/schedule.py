"""Optimiser and learning-rate schedule of a stage."""

from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from mmdrl.errors import ConfigError
from mmdrl.registry import OPTIMIZERS

from .head import merged
from .stage import Stage


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
    if stage.lr is not None:
        config['optimizer']['lr'] = stage.lr
    return config


def start_schedule(runner: Runner, stage: Stage) -> None:
    """Give the runner a new optimiser, without state, over the model as it is, and the schedule of the stage.

    Raises:
        ConfigError: If they cannot be built.
    """
    config, schedules = optim_config(runner.cfg, stage), stage.param_scheduler or []
    kind = config['optimizer'].get('type')
    if isinstance(kind, str) and OPTIMIZERS.get(kind) is None:
        raise ConfigError(f'Stage {stage.name!r}: optimizer must name a registered optimiser, got type={kind!r}.')
    try:
        wrapper: OptimWrapper = runner.build_optim_wrapper(config)
        runner.param_schedulers = []  # or scaling the rate would be refused, as it must come first
        runner.scale_lr(wrapper, runner.auto_scale_lr)
        runner.optim_wrapper = wrapper
        runner.param_schedulers = runner.build_param_scheduler([_ended(entry, stage) for entry in schedules])
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f'Stage {stage.name!r}: optimiser or schedule do not fit: {error.args[0]}') from error


def check_schedule(runner: Runner, stage: Stage) -> None:
    """Whether optimiser and schedule of a stage can be built; the runner keeps its own.

    Raises:
        ConfigError: If they cannot.
    """
    own = runner.optim_wrapper, runner.param_schedulers
    try:
        start_schedule(runner, stage)
    finally:
        runner.optim_wrapper, runner.param_schedulers = own


def _ended(schedule: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """A schedule by epochs ends with its stage unless it says when; MMEngine's would with the run."""
    return dict(end=stage.epochs) | schedule if schedule.get('by_epoch', True) else schedule
