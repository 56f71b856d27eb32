"""Config in, trained or tested model out: what ``tools/train.py`` and ``tools/test.py`` do."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import BaseLoop, Runner
from rich.console import Console

from mmdrl.datasets.lists.broken_images import broken_paths, log_broken
from mmdrl.errors import ConfigError, DataError, MMDRLError
from mmdrl.visualization import accuracy_table, by_classifier

from .checkpoints import check_belongs, check_resumable, latest_checkpoint, read_checkpoint
from .hooks.companions import check_companions
from .mistakes import tell_config_mistake, tell_data_mistake
from .model_parts import unwrap
from .preflight import check_data_paths
from .results import write_json
from .stages.head import head_of_checkpoint, plan_of


def train_model(
    cfg: Config, resume: str | None = None, amp: bool = False, validate: bool = True, auto_scale_lr: bool = False
) -> None:
    """Train by a config of :func:`mmdrl.engine.config.load_config`.

    Args:
        cfg: The config.
        resume: Checkpoint to go on from, or ``'auto'`` for the last one in the work folder, if there is any.
        amp: Mixed precision.
        validate: Whether to validate while training.
        auto_scale_lr: Scale the learning rate with the total batch size.

    Raises:
        MMDRLError: If config, data or machine do not fit. If that shows before the first iteration, a work folder
            that this call has made is gone.
    """
    if amp and not torch.cuda.is_available():
        raise ConfigError('--amp needs a GPU, this machine has none or --gpus 0 hides it. Leave --amp out.')
    if not validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if resume is not None:
        cfg.resume, cfg.load_from = True, None if resume == 'auto' else resume
    if auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            raise ConfigError('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config.')
        cfg.auto_scale_lr.enable = True
    check_data_paths(cfg, ('train_dataloader', 'val_dataloader'))
    source = None
    if cfg.get('resume'):
        source = cfg.load_from = cfg.get('load_from') or latest_checkpoint(cfg.work_dir)
    checkpoint = read_checkpoint(source) if source else None
    if checkpoint is not None:
        check_resumable(checkpoint, str(source))
    folder = Path(cfg.work_dir)
    is_new = not folder.exists()
    runner = None
    try:
        runner = build_runner(cfg)
        check_companions(runner)
        if checkpoint is not None:
            if 'stages' in checkpoint and plan_of(runner) is None:
                raise ConfigError(
                    f'{source} was trained in stages, and the config has no mmdrl.TwoStageHook. Resume with the config '
                    'it was trained with, or begin with its weights: --cfg-options load_from=... without --resume.'
                )
            head = head_of_checkpoint(runner, checkpoint) if cfg.get('resume') else None
            # Which loss a stage has is for the stages to say.
            check_belongs(checkpoint, unwrap(runner.model), str(source), head, losses='stages' not in checkpoint)
        del checkpoint
        start(runner.train, runner)
    except MMDRLError:
        loop = _train_loop(runner)
        if loop is not None:
            log_broken(broken_paths(loop.dataloader.dataset))
        if is_new and is_main_process() and not _has_trained(runner):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def evaluate(cfg: Config, checkpoint: str, out: str | None = None) -> dict[str, Any]:
    """Test a checkpoint by a config of :func:`mmdrl.engine.config.load_config`; prints and returns the metrics.

    Args:
        cfg: The config.
        checkpoint: Path or address of the checkpoint.
        out: JSON file to write the metrics to as well, nan as null.

    Raises:
        MMDRLError: If config, data, checkpoint or machine do not fit.
    """
    if out is not None and not Path(out).parent.is_dir():
        raise DataError(f'--out: expected the folder {Path(out).parent}, found none.')
    content = read_checkpoint(checkpoint)
    check_data_paths(cfg, ('test_dataloader',))
    runner = runner_for(cfg, checkpoint, content)
    metrics: dict[str, Any] = start(runner.test, runner)
    if is_main_process():
        rows = by_classifier(metrics)
        if rows:
            Console().print(accuracy_table(rows, title=f'{Path(cfg.work_dir).name}, {Path(checkpoint).name}'))
        if out is not None:
            write_json(metrics, Path(out))
    return metrics


def runner_for(cfg: Config, checkpoint: str, content: dict[str, Any] | None) -> Runner:
    """A runner whose model is the one that a checkpoint was saved of; it loads the weights when it tests.

    Args:
        cfg: The config.
        checkpoint: Path or address of the checkpoint.
        content: What it holds; ``None`` if that is not known yet.

    Raises:
        MMDRLError: If config, checkpoint or machine do not fit.
    """
    cfg.load_from, cfg.resume = checkpoint, False
    runner = build_runner(cfg)
    if content is not None:
        model = unwrap(runner.model)
        head = head_of_checkpoint(runner, content)
        if head is not None:
            model.head = head
        check_belongs(content, model, checkpoint, losses=False)
    return runner


def build_runner(cfg: Config, kind: type[Runner] = Runner) -> Runner:
    """A runner by a config, whose mistakes it tells; of the config's own kind if it has one.

    Args:
        cfg: The config.
        kind: Class of the runner.

    Raises:
        ConfigError: If a name or an argument does not exist, or the work folder cannot be written to.
    """
    if 'model' not in cfg:
        raise ConfigError('The config names no model. Give model=dict(type=...), or inherit it with _base_.')
    num_threads = cfg.get('env_cfg', {}).get('num_threads')
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    try:
        return RUNNERS.build(cfg) if kind is Runner and 'runner_type' in cfg else kind.from_cfg(cfg)
    except (KeyError, TypeError, ValueError) as error:
        tell_config_mistake(error)
        raise
    except OSError as error:
        if Path(cfg.work_dir).is_dir():
            raise
        raise ConfigError(f'Expected to write to the work folder {cfg.work_dir}, which fails: {error}.') from error


def start(go: Callable[[], Any], runner: Runner) -> Any:
    """Train, test or set up; loaders, loops and hooks' parts are built only now.

    Raises:
        MMDRLError: If a name or an argument does not exist, or data are not there.
    """
    try:
        return go()
    except (KeyError, TypeError, ValueError) as error:
        if not _has_trained(runner):
            tell_config_mistake(error)
        raise
    except (FileNotFoundError, RuntimeError, AssertionError) as error:
        tell_data_mistake(error)
        raise


def _has_trained(runner: Runner | None) -> bool:
    loop = _train_loop(runner)
    return loop is not None and loop.iter > 0


def _train_loop(runner: Runner | None) -> Any:
    """The loop, None if none has been built; ``runner.train_loop`` would build the one that may just have failed."""
    loop = runner and runner._train_loop
    return loop if isinstance(loop, BaseLoop) else None
