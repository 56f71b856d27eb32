"""A config as this machine runs it: file, overrides, loaders, device."""

import argparse
import re
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.hooks import Hook
from mmengine.hub import get_config
from mmengine.utils import is_installed

from mmdrl.errors import ConfigError
from mmdrl.shipped import PREFIX, find_config

from .preflight import wrapped_datasets
from .settings import check_settings
from .wrapper import set_wrapper

MMENGINE_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint')
CHANGE_STAGES = (
    'To change those that the config inherits, write default_hooks=dict(stages=dict(stages=[...])); on the command '
    'line --cfg-options default_hooks.stages.stages.0.epochs=20 reaches into them.'
)
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
        path: Config file, or a name that :func:`mmdrl.shipped.find_config` knows: ``'drl_r8_digits-lt.py'``,
            ``'mmdrl::digits_lt/...'``; ``'mmpretrain::resnet/...'`` is found by MMEngine.
        options: Overrides, ``['randomness.seed=1', ...]``.
        work_dir: Folder of the run; the config's own or ``work_dirs/<config name>`` if not given.
        launcher: What has started the processes.
        pin_memory: Pin host memory where there is a GPU, unless the config says otherwise; False never does.
        persistent_workers: Keep loader workers alive between epochs, likewise.

    Raises:
        ConfigError: If the file does not exist or cannot be read, an override does not fit it, or a setting cannot be
            what it says.
    """
    cfg = _read(path)
    _drop_taken_stages(cfg)
    for option in options or []:
        _override(cfg, option)
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(cfg.filename).stem)
    check_settings(cfg)
    _settle_loop(cfg)
    _check_hooks(cfg)
    _leave_out_hooks(cfg)
    has_gpu = torch.cuda.is_available()
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is None:
            continue
        parts = wrapped_datasets(loader.get('dataset') or {}, name)
        loader.setdefault('pin_memory', has_gpu and not any(part.get('images_on') for _, part in parts))
        loader.setdefault('persistent_workers', loader.get('num_workers', 0) > 0)
        loader.setdefault('collate_fn', dict(type='default_collate'))
        loader['pin_memory'] &= pin_memory
        loader['persistent_workers'] &= persistent_workers
    if launcher != 'none':
        set_wrapper(cfg)
    return cfg


def innermost_dataset(cfg: Config, loader: str) -> dict[str, Any]:
    """Config of the data set behind the wrappers of a loader; empty if there is none."""
    dataset: dict[str, Any] = (cfg.get(loader) or {}).get('dataset') or {}
    while isinstance(dataset.get('dataset'), dict):
        dataset = dataset['dataset']
    return dataset


def _settle_loop(cfg: Config) -> None:
    """Let a config that inherits one of ``type`` and ``by_epoch`` give the other: MMEngine refuses both together.

    Raises:
        ConfigError: If they contradict each other.
    """
    loop = cfg.get('train_cfg')
    if not isinstance(loop, dict) or not {'type', 'by_epoch'} <= set(loop):
        return
    kinds = {'ResumableEpochLoop': True, 'EpochBasedTrainLoop': True}
    kinds |= {'ResumableIterLoop': False, 'IterBasedTrainLoop': False}
    kind = kinds.get(str(loop['type']).rpartition('.')[2])
    if kind is not None and kind != bool(loop['by_epoch']):
        raise ConfigError(
            f'train_cfg has type={loop["type"]!r} and by_epoch={loop["by_epoch"]}, which contradict each other. Leave '
            "by_epoch out; for iterations train_cfg=dict(_delete_=True, type='mmdrl.ResumableIterLoop', max_iters=...)."
        )
    del loop['by_epoch']


def _check_hooks(cfg: Config) -> None:
    """Stages that are written down, in the file or as an override, must be taken by a hook.

    Raises:
        ConfigError: If they are not, or a hook is none.
    """
    hooks = dict(cfg.get('default_hooks') or {})
    how = "Write default_hooks=dict(stages=dict(type='mmdrl.TwoStageHook', stages=[...]))."
    for name, hook in hooks.items():
        if hook is not None and not isinstance(hook, (dict, Hook)):
            hint = f' {how}' if name == 'stages' else ''
            raise ConfigError(f'default_hooks.{name} must be a dict with a type, got {hook!r:.80}.{hint}')
    if 'stages' in cfg and not stage_hooks(cfg):
        raise ConfigError(f'The config has stages, but no hook that takes them. {how}')
    if 'stages' in cfg:
        raise ConfigError(f'Nothing reads stages at the top level of the config. {CHANGE_STAGES}')


def _drop_taken_stages(cfg: Config) -> None:
    """Leave out what a part has handed on to its hook as ``{{_base_.stages}}``: a change of it would go unnoticed.

    Raises:
        ConfigError: If the config itself has stages at the top level, other than those of its hook.
    """
    hooks, names = stage_hooks(cfg), cfg.get('default_hooks')
    is_left_out = isinstance(names, dict) and 'stages' in names and names['stages'] is None
    if 'stages' not in cfg or not (hooks or is_left_out):
        return
    taken = [known for hook in hooks if isinstance(hook, dict) for known in (hook, hook.get('stages'))]
    if cfg.stages not in taken and re.search(rb'^stages\s*=', Path(cfg.filename).read_bytes(), re.MULTILINE):
        raise ConfigError(f'{cfg.filename} has stages at the top level that no hook takes. {CHANGE_STAGES}')
    cfg.pop('stages')


def stage_hooks(cfg: Config) -> list[Any]:
    """Hooks that run stages, built or not; none where no hooks can be."""
    named, listed = cfg.get('default_hooks'), cfg.get('custom_hooks')
    entries = [*named.values()] if isinstance(named, dict) else []
    entries += listed if isinstance(listed, (list, tuple)) else []
    kinds = [str(entry.get('type')) if isinstance(entry, dict) else type(entry).__name__ for entry in entries]
    return [entry for entry, kind in zip(entries, kinds, strict=True) if 'TwoStageHook' in kind]


def _leave_out_hooks(cfg: Config) -> None:
    """Let ``None`` leave out any hook that a config inherits; MMEngine takes it for those of its own only."""
    hooks = cfg.get('default_hooks') or {}
    for name in [name for name, hook in hooks.items() if hook is None]:
        if name not in MMENGINE_HOOKS:
            del hooks[name]


def _read(name: str) -> Config:
    package, separator, _ = name.partition('::')
    if separator and not name.startswith(PREFIX):
        if not is_installed(package):  # MMEngine would install it
            raise ConfigError(f'Expected {package} to be installed for the config {name}. Install it, or give a path.')
        read, path = get_config, name
    else:
        read, path = Config.fromfile, str(find_config(name))
    try:
        return read(path)
    except (Exception, SystemExit) as error:  # a config is a program: anything may go wrong in it
        reason = ' '.join(str(error).partition(', the current sys.path is')[0].split()).rstrip('.!')
        cause = f' ({error.__cause__})' if isinstance(error, ImportError) and error.__cause__ else ''
        hint = 'Does its _base_ lead back to itself?' if isinstance(error, RecursionError) else 'Mend it there.'
        raise ConfigError(
            f'The config {path} cannot be read: {type(error).__name__}: {reason}{cause}. {hint}'
        ) from error


def _override(cfg: Config, option: str) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs=1, action=DictAction)
    try:
        if '=' not in option or '' in option.partition('=')[0].split('.'):
            raise ValueError(option)
        parsed: dict[str, Any] = parser.parse_args(['--options', option]).options
    except (ValueError, AssertionError, RecursionError):
        raise ConfigError(
            f'--cfg-options: expected KEY=VALUE with a number, a string or a list "[a,b]", got {option!r}.'
        ) from None
    try:
        cfg.merge_from_dict(parsed)
    except (KeyError, TypeError, AttributeError, IndexError):
        raise ConfigError(
            f'--cfg-options: {option!r} fits nothing in the config. A number in the key is a position in a list, '
            'which must exist; what is no dict cannot take a further key.'
        ) from None
