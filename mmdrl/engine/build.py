"""Runners by a config, whose mistakes end in sentences."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmdrl.errors import ConfigError
from mmdrl.visualization.bars import screen

from .checkpoints import check_belongs
from .chosen_metrics import settle_choices
from .combinations import check_runner
from .console_log import CalmRunner
from .gone_processes import set_waiting_time, tell_gone_process
from .mistakes import tell_config_mistake, tell_data_mistake, tell_disk_mistake
from .model_parts import unwrap
from .safe_runner import SafeRunner
from .stages.head import head_of_checkpoint
from .stages.schedule import check_optimiser
from .way_back import has_trained

# How classes answer to settings that do not fit.
_MISTAKES = (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, AssertionError)


def runner_for(cfg: Config, checkpoint: str, content: dict[str, Any] | None, kind: type[Runner] = CalmRunner) -> Runner:
    """A runner whose model is the one that a checkpoint was saved of; it loads the weights when it tests.

    Args:
        cfg: The config.
        checkpoint: Path or address of the checkpoint.
        content: What it holds; ``None`` if that is not known yet.
        kind: Class of the runner.

    Raises:
        MMDRLError: If config, checkpoint or machine do not fit.
    """
    cfg.load_from, cfg.resume = checkpoint, False
    runner = build_runner(cfg, kind)
    if content is not None:
        model = unwrap(runner.model)
        head = head_of_checkpoint(runner, content)
        if head is not None:
            model.head = head
        check_belongs(content, model, checkpoint, losses=False)
    return runner


def build_runner(cfg: Config, kind: type[Runner] = CalmRunner) -> Runner:
    """A runner by a config, whose mistakes it tells; of the config's own kind if it has one and runs.

    Args:
        cfg: The config.
        kind: Class of the runner.

    Raises:
        ConfigError: If a name or an argument does not exist, or the work folder cannot be written to.
    """
    if 'model' not in cfg:
        raise ConfigError('The config names no model. Give model=dict(type=...), or inherit it with _base_.')
    check_runner(cfg)
    settle_choices(cfg)
    check_optimiser(cfg.get('optim_wrapper'), 'optim_wrapper.optimizer')
    if (num_threads := cfg.get('env_cfg', {}).get('num_threads')) is not None:
        torch.set_num_threads(num_threads)
    set_waiting_time(cfg)
    try:
        is_own = kind in (SafeRunner, CalmRunner) and 'runner_type' in cfg
        return RUNNERS.build(cfg) if is_own else kind.from_cfg(cfg)
    except _MISTAKES as error:
        tell_config_mistake(error)
        raise
    except OSError as error:
        if Path(cfg.work_dir).is_dir():
            tell_disk_mistake(error, cfg.work_dir)
            raise
        raise ConfigError(f'Expected to write to the work folder {cfg.work_dir}, which fails: {error}.') from error


def start(go: Callable[[], Any], runner: Runner) -> Any:
    """Train, test or set up; loaders, loops and hooks' parts are built only now.

    Raises:
        MMDRLError: If a name or an argument does not exist, or data are not there.
    """
    try:
        return go()
    except (*_MISTAKES, FileNotFoundError, EOFError, SyntaxError) as error:
        tell_gone_process(error)
        if isinstance(error, (FileNotFoundError, RuntimeError, AssertionError)):
            tell_data_mistake(error)
        if not has_trained(runner):
            tell_config_mistake(error)
        raise
    except OSError as error:
        tell_gone_process(error)
        tell_disk_mistake(error, runner.work_dir)
        raise
    finally:
        screen().close()  # before anything is said of an error
