"""Config in, trained or tested model out: what ``tools/train.py`` and ``tools/test.py`` do."""

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from rich.console import Console

from mmdrl.errors import ConfigError, DataError, MMDRLError
from mmdrl.visualization import accuracy_table, by_classifier

from .preflight import check_data_paths

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load_config(
    path: str,
    options: list[str] | None = None,
    work_dir: str | None = None,
    launcher: str = 'none',
    pin_memory: bool = True,
    persistent_workers: bool = True,
) -> Config:
    """Config of a run on this machine.

    Args:
        path: Config file.
        options: Overrides, ``['randomness.seed=1', ...]``.
        work_dir: Folder of the run; the config's own or ``work_dirs/<config name>`` if not given.
        launcher: What has started the processes.
        pin_memory: Pin host memory where there is a GPU and the config does not say otherwise.
        persistent_workers: Keep loader workers alive between epochs, likewise.

    Raises:
        ConfigError: If the file does not exist.
    """
    if not Path(path).is_file():
        raise ConfigError(f'Expected a config file at {path}, found none. Configs of mmdrl lie under configs/.')
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(_parse_options(options or []))
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(path).stem)
    has_gpu = torch.cuda.is_available()
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is not None:
            loader.setdefault('pin_memory', pin_memory and has_gpu)
            loader.setdefault('persistent_workers', persistent_workers and loader.get('num_workers', 0) > 0)
            loader.setdefault('collate_fn', dict(type='default_collate'))
    if launcher != 'none' and not has_gpu:
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    return cfg


def train_model(
    cfg: Config,
    resume: str | None = None,
    amp: bool = False,
    validate: bool = True,
    auto_scale_lr: bool = False,
) -> None:
    """Train by a config of :func:`load_config`.

    Args:
        cfg: The config.
        resume: Checkpoint to go on from, or ``'auto'`` for the last one in the work folder, if there is any.
        amp: Mixed precision.
        validate: Whether to validate while training.
        auto_scale_lr: Scale the learning rate with the total batch size.

    Raises:
        MMDRLError: If config, data or machine do not fit; a work folder that this call made is gone then.
    """
    if amp and not torch.cuda.is_available():
        raise ConfigError('--amp needs a GPU, this machine has none or --gpus 0 hides it. Leave --amp out.')
    if resume not in (None, 'auto') and not Path(str(resume)).is_file():
        raise DataError(f'--resume: expected a checkpoint at {resume}, found none.')
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
    folder = Path(cfg.work_dir)
    is_new = not folder.exists()
    try:
        _build_runner(cfg).train()
    except MMDRLError:
        if is_new and is_main_process() and not any(folder.glob('*.pth')):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def evaluate(cfg: Config, checkpoint: str, out: str | None = None) -> dict[str, Any]:
    """Test a checkpoint by a config of :func:`load_config`; prints and returns the metrics.

    Args:
        cfg: The config.
        checkpoint: Path or address of the checkpoint.
        out: JSON file to write the metrics to as well.

    Raises:
        MMDRLError: If config, data, checkpoint or machine do not fit.
    """
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise DataError(f'Expected a checkpoint at {checkpoint}, found none.')
    check_data_paths(cfg, ('test_dataloader',))
    cfg.load_from = checkpoint
    metrics: dict[str, Any] = _build_runner(cfg).test()
    if is_main_process():
        rows = by_classifier(metrics)
        if rows:
            Console().print(accuracy_table(rows, title=Path(checkpoint).name))
        if out is not None:
            aside = f'{out}.tmp'
            Path(aside).write_text(json.dumps(metrics, indent=1) + '\n')
            os.replace(aside, out)
    return metrics


def _build_runner(cfg: Config) -> Runner:
    return Runner.from_cfg(cfg) if 'runner_type' not in cfg else RUNNERS.build(cfg)


def _parse_options(options: list[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs=1, action=DictAction, default={})
    parsed: dict[str, Any] = {}
    for option in options:
        try:
            if '=' not in option:
                raise ValueError(option)
            parsed.update(parser.parse_args(['--options', option]).options)
        except (ValueError, AssertionError, RecursionError):
            raise ConfigError(
                f'--cfg-options: expected KEY=VALUE with a number, a string or a list "[a,b]", got {option!r}.'
            ) from None
    return parsed
