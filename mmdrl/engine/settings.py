"""Settings of a config whose kind and range are known without building anything.

MMEngine and torch take most values as they come: a word for a number shows where it is used first, a batch size of 2.5
in a loader, a validation interval of 0 after the first epoch. Here one table says what each must be.
"""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmdrl.datasets.arguments import is_finite, is_whole
from mmdrl.errors import ConfigError

Fits = Callable[[Any], bool]
_LONGEST_NAME = 255  # bytes of a file's name, as all usual file systems have it
_SCALARS = (bool, int, float, str)


def _whole(least: int, most: float = math.inf) -> Fits:
    return lambda value: is_whole(value) and least <= value <= most


def _number(least: float, is_above: bool = False) -> Fits:
    return lambda value: is_finite(value) and (value > least if is_above else value >= least)


def _built(value: Any) -> bool:
    """A config of something, or the thing itself."""
    return not isinstance(value, (*_SCALARS, list, tuple))


def _several(value: Any) -> bool:
    """Such things in a list, or one alone."""
    return all(map(_built, value)) if isinstance(value, (list, tuple)) else _built(value)


def _is_one_of(*choices: Any) -> Fits:
    return lambda value: value in choices


def _is(*kinds: type) -> Fits:
    return lambda value: isinstance(value, kinds)


def _is_path(value: Any) -> bool:
    is_text = isinstance(value, (str, os.PathLike)) and '\0' not in str(value)
    return is_text and all(len(os.fsencode(name)) <= _LONGEST_NAME for name in Path(value).parts)


_DICT = ('a dict', _built)
_DICTS = ('a dict with a type, or a list of such', _several)
_COUNT = ('a whole number of at least 1', _whole(1))
_RATE = ('a finite number, at least 0', _number(0))
_LEVELS = ('DEBUG', 'INFO', 'WARNING', 'WARN', 'ERROR', 'CRITICAL', 'FATAL', 'NOTSET')
_LOADER: dict[str, tuple[str, Fits]] = {
    'batch_size': _COUNT,
    'num_workers': ('a whole number of at least 0', _whole(0)),
    'num_batch_per_epoch': _COUNT,
    'dataset': _DICT,
    'sampler': _DICT,
    'batch_sampler': _DICT,
    'collate_fn': ('a dict with a type, or a function', _built),
}
# Numbers of epochs may be fractions, which convert_to_iter_based makes iterations of.
_SCHEDULE: dict[str, tuple[str, Fits]] = {
    'T_max': ('a number above 0', _number(0, is_above=True)),
    'step_size': ('a number above 0', _number(0, is_above=True)),
    'milestones': ('a list of numbers', lambda value: not isinstance(value, str) and all(map(is_finite, value))),
    'gamma': ('a finite number', is_finite),
    'eta_min': ('a finite number', is_finite),
    'begin': _RATE,
}
# By the way through the config; * stands for every entry of a list or dict.
_RULES: dict[str, tuple[str, Fits]] = {
    'model': _DICT,
    'model.backbone': _DICT,
    'model.neck': _DICTS,
    'model.head': _DICTS,
    'model.data_preprocessor': _DICT,
    'train_cfg': _DICT,
    'train_cfg.max_epochs': _COUNT,
    'train_cfg.max_iters': _COUNT,
    'train_cfg.val_interval': _COUNT,
    'train_cfg.val_begin': ('a whole number of at least 0', _whole(0)),
    **{
        f'{name}_dataloader{part}': rule
        for name in ('train', 'val', 'test')
        for part, rule in {'': _DICT, **{f'.{key}': rule for key, rule in _LOADER.items()}}.items()
    },
    'optim_wrapper': _DICT,
    'optim_wrapper.optimizer': ('a dict with a type', lambda value: _built(value) and 'type' in value),
    'optim_wrapper.optimizer.lr': _RATE,
    'optim_wrapper.optimizer.weight_decay': _RATE,
    'optim_wrapper.accumulative_counts': _COUNT,
    'optim_wrapper.clip_grad': _DICT,
    'optim_wrapper.clip_grad.max_norm': (
        'a number above 0',
        lambda value: value == math.inf or _number(0, True)(value),
    ),
    'optim_wrapper.clip_grad.clip_value': ('a number above 0', _number(0, is_above=True)),
    'param_scheduler': _DICTS,
    **{f'param_scheduler.*.{key}': rule for key, rule in _SCHEDULE.items()},
    **{f'default_hooks.*.stages.*.param_scheduler.*.{key}': rule for key, rule in _SCHEDULE.items()},
    'default_hooks': _DICT,
    'default_hooks.checkpoint.interval': ('a whole number, -1 for never', is_whole),
    'default_hooks.checkpoint.max_keep_ckpts': ('a whole number, -1 for all', is_whole),
    'default_hooks.logger.interval': _COUNT,
    'custom_hooks': ('a list of dicts with a type', lambda value: isinstance(value, (list, tuple)) and _several(value)),
    'val_evaluator': _DICTS,
    'test_evaluator': _DICTS,
    'randomness': _DICT,
    'randomness.seed': ('a whole number from 0 to 4294967295', _whole(0, 2**32 - 1)),
    'env_cfg': _DICT,
    'env_cfg.num_threads': _COUNT,
    'env_cfg.mp_cfg.mp_start_method': ("'fork', 'spawn' or 'forkserver'", _is_one_of('fork', 'spawn', 'forkserver')),
    'visualizer': _DICT,
    'log_processor': _DICT,
    'auto_scale_lr': _DICT,
    'auto_scale_lr.base_batch_size': _COUNT,
    'log_level': (f'one of {", ".join(_LEVELS)}', lambda value: value in _LEVELS or is_whole(value)),
    'default_scope': ('the name of a package', _is(str)),
    'work_dir': ('the path of a folder, of names of at most 255 bytes', _is_path),
    'load_from': ('the path or address of a checkpoint', _is(str)),
    'resume': ('True or False', _is(bool)),
}
_WAYS = {tuple(way.split('.')): rule for way, rule in _RULES.items()}


def check_settings(cfg: Any) -> None:
    """Every setting that the table knows and the config has must be of its kind; ``None`` is no setting.

    Args:
        cfg: A config.

    Raises:
        ConfigError: If one is not.
    """
    for way, (expected, fits) in _WAYS.items():
        for name, value in _found(cfg, way):
            if value is not None and not _is_right(fits, value):
                raise ConfigError(
                    f'{name} must be {expected}, got {value!r:.80}. Mend it in the config, or give --cfg-options '
                    f'{name}=... on the command line.'
                )


def _is_right(fits: Fits, value: Any) -> bool:
    try:
        return fits(value)
    except TypeError:
        return False


def _found(value: Any, way: tuple[str, ...], name: str = '') -> Iterator[tuple[str, Any]]:
    """Names and values of what a way leads to."""
    if not way:
        yield name, value
        return
    if way[0] == '*':
        value = [value] if isinstance(value, dict) and 'type' in value else value  # one alone
        entries = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
        for key, entry in entries:
            yield from _found(entry, way[1:], f'{name}.{key}')
    elif hasattr(value, 'get') and value.get(way[0]) is not None:
        yield from _found(value[way[0]], way[1:], f'{name}.{way[0]}'.lstrip('.'))
