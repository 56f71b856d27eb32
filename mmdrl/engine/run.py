"""Config in, trained or tested model out: what ``tools/train.py`` and ``tools/test.py`` do."""

import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process

from mmdrl.datasets.lists.broken_images import broken_paths, log_broken
from mmdrl.errors import ConfigError, DataError, MMDRLError
from mmdrl.visualization.result_tables import print_results

from .build import build_runner, runner_for, start
from .checkpoints import check_belongs, check_resumable, latest_checkpoint, read_checkpoint
from .classifier_name import classifier_name
from .combinations import check_training
from .console_log import CalmRunner
from .environment import describe_environment
from .header import HeaderHook
from .hooks.companions import check_companions
from .model_parts import unwrap
from .output_files import check_target
from .preflight import check_data_paths
from .results import write_json
from .safe_runner import SafeRunner
from .saved_progress import check_progress
from .stages.head import head_of_checkpoint, plan_of
from .way_back import built_train_loop, has_trained, note_way_back, tell_interrupt


def train_model(
    cfg: Config,
    resume: str | None = None,
    amp: bool = False,
    validate: bool = True,
    auto_scale_lr: bool = False,
    verbose: bool = False,
) -> None:
    """Train by a config of :func:`mmdrl.engine.config.load_config`.

    Args:
        cfg: The config.
        resume: Checkpoint to go on from, or ``'auto'`` for the last one in the work folder, if there is any.
        amp: Mixed precision.
        validate: Whether to validate while training.
        auto_scale_lr: Scale the learning rate with the total batch size.
        verbose: Show all of the log on the console, which else shows a header and what happens.

    Raises:
        MMDRLError: If config, data or machine do not fit. If that shows before the first iteration, a work folder
            that this call has made is gone.
        Exception: Whatever else ends it; if the run had trained, ``way_back`` of the error tells how to go on.
        KeyboardInterrupt: With a sentence on how to go on, if the run is interrupted.
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
    check_training(cfg)
    check_data_paths(cfg, ('train_dataloader', 'val_dataloader'))
    source = None
    if cfg.get('resume'):
        source = cfg.load_from = cfg.get('load_from') or latest_checkpoint(cfg.work_dir)
        cfg.resume = source is not None  # or MMEngine looks for one again, and says that there is none
    checkpoint = read_checkpoint(source) if source else None
    if checkpoint is not None:
        check_resumable(checkpoint, str(source))
        check_progress(checkpoint, str(source))
    folder = Path(cfg.work_dir)
    is_new = not folder.exists()
    runner = None
    try:
        runner = build_runner(cfg, SafeRunner if verbose else CalmRunner)
        if not verbose:
            runner.register_hook(HeaderHook())
        check_companions(runner)
        if checkpoint is not None:
            if 'stages' in checkpoint and plan_of(runner) is None:
                raise ConfigError(
                    f'{source} was trained in stages, and the config has no mmdrl.TwoStageHook. Resume with the config '
                    'it was trained with, or begin with its weights: --cfg-options load_from=... without --resume.'
                )
            head = head_of_checkpoint(runner, checkpoint)
            # Which loss a stage has is for the stages to say.
            check_belongs(checkpoint, unwrap(runner.model), str(source), head, losses='stages' not in checkpoint)
        del checkpoint
        start(runner.train, runner)
    except MMDRLError as error:
        loop = built_train_loop(runner)
        if loop is not None:
            log_broken(broken_paths(loop.dataloader.dataset))
        if is_new and is_main_process() and not has_trained(runner):
            shutil.rmtree(folder, ignore_errors=True)
        note_way_back(error, runner)
        raise
    except Exception as error:
        note_way_back(error, runner)
        raise
    except KeyboardInterrupt as interrupt:
        raise tell_interrupt(interrupt, runner) from interrupt


def evaluate(cfg: Config, checkpoint: str, out: str | None = None, verbose: bool = False) -> dict[str, Any]:
    """Test a checkpoint by a config of :func:`mmdrl.engine.config.load_config`; prints and returns the metrics.

    Args:
        cfg: The config.
        checkpoint: Path or address of the checkpoint.
        out: JSON file to write the metrics to as well, nan as null, and ``made_with``, what they were computed with.
        verbose: Show all of the log on the console.

    Raises:
        MMDRLError: If config, data, checkpoint or machine do not fit; a work folder that this call has made is gone.
    """
    if out is not None:
        if not Path(out).parent.is_dir():
            raise DataError(f'--out: expected the folder {Path(out).parent}, found none.')
        check_target('--out', Path(out), checkpoint, *filter(None, [cfg.filename]))
    content = read_checkpoint(checkpoint)
    check_data_paths(cfg, ('test_dataloader',))
    folder = Path(cfg.work_dir)
    is_new = not folder.exists()
    try:
        runner = runner_for(cfg, checkpoint, content, SafeRunner if verbose else CalmRunner)
        if not verbose:
            runner.register_hook(HeaderHook())
        metrics: dict[str, Any] = start(runner.test, runner)
    except MMDRLError:
        if is_new and is_main_process():
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if is_main_process():
        name = classifier_name(unwrap(runner.model), ((content or {}).get('meta') or {}).get('rebalance'))
        print_results(metrics, f'{Path(cfg.work_dir).name}, {Path(checkpoint).name}', name)
        if out is not None:
            write_json(metrics | dict(made_with=describe_environment(cfg.filename)), Path(out))
    return metrics
