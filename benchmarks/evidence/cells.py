"""The config of one training of a plan, and what tells it from every other."""

import hashlib
import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdrl.engine.config import load_config
from mmdrl.errors import ConfigError

from .epochs import with_epochs
from .plan import Plan, Row

# Where a config stands, and what only this machine decides: no part of what is trained.
_NOT_TRAINED = ('work_dir', 'data_root', 'launcher', 'pin_memory', 'resume')


def cell_config(plan: Plan, row: Row, seed: int, root: Path) -> Config:
    """Config of a training: file, epochs, validation, hold-out, overrides, seed, in this order.

    Args:
        plan: Says the split.
        row: Of the plan.
        seed: Of initial weights, order and augmentation. The split of the data has a seed of its own.
        root: The repository.

    Raises:
        ConfigError: If the file is not there, or something in it cannot be overridden so.
    """
    path = root / row.config
    if not path.is_file():
        raise ConfigError(f'Row {row.name} of {plan.path}: expected a config at {row.config}, found none.')
    cfg = load_config(str(path))
    if row.epochs is not None:
        cfg = with_epochs(cfg, row.epochs)
    epochs = cfg.train_cfg.max_epochs
    cfg.train_cfg.val_interval = row.every or epochs
    if 'summary' in cfg.default_hooks:
        cfg.default_hooks.summary.figures = False  # they are drawn from the records
    if plan.split == 'holdout':
        _hold_out(cfg, plan.holdout_per_class)
    for key, value in row.options.items():
        _override(cfg, key, value, f'row {row.name} of {plan.path}')
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)
    return cfg


def config_hash(cfg: Config) -> str:
    """SHA-256 of what a config trains: the same wherever and with whichever seed it runs."""
    content = cfg.to_dict()
    content['randomness'] = {key: value for key, value in content['randomness'].items() if key != 'seed'}
    if content.get('load_from') is None:
        content.pop('load_from', None)  # not to be set is to begin anew, too
    text = json.dumps(_trained(content), sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def at_data(cfg: Config, data: Path) -> None:
    """Let data sets below ``data/`` be read below another folder, in place."""
    _move(cfg._cfg_dict, data)


def _hold_out(cfg: Config, per_class: int) -> None:
    """Keep images of every class out of the tail, and validate on them."""
    train = cfg.train_dataloader.dataset
    if not str(train.get('type')).endswith('LongTailDataset'):
        raise ConfigError(f'Expected a LongTailDataset to hold images out of, got {train.get("type")}.')
    train.holdout_per_class = per_class
    test = cfg.val_dataloader.dataset
    inner = dict(train.dataset, pipeline=test.pipeline, test_mode=True)
    cfg.val_dataloader.dataset = dict(train, part='holdout', dataset=inner)
    cfg.test_dataloader = cfg.val_dataloader


def _override(cfg: Config, key: str, value: Any, place: str) -> None:
    try:
        cfg.merge_from_dict({key: value})
    except (KeyError, TypeError, AssertionError, IndexError, ValueError) as error:
        raise ConfigError(f'{place}: the config takes no {key}={value!r}: {error}.') from None


def _trained(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _trained(entry) for key, entry in value.items() if key not in _NOT_TRAINED}
    return [_trained(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _move(value: Any, data: Path) -> None:
    if isinstance(value, dict):
        root = value.get('data_root')
        if isinstance(root, str) and Path(root).parts[:1] == ('data',):
            value['data_root'] = str(data.joinpath(*Path(root).parts[1:]))
    for entry in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        _move(entry, data)
