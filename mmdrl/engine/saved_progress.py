"""What resuming reads of a checkpoint, looked at before a runner is built and a work folder made."""

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.logging import print_log

from mmdrl.errors import DataError

from .loops.position import KEY as POSITION
from .loops.position import Position

_DAMAGED = 'It is damaged: resume from another checkpoint.'


def check_progress(checkpoint: Mapping[str, Any], path: str) -> None:
    """What resuming reads must be there and of its kind; the stages compare their plan themselves.

    Args:
        checkpoint: Whose ``meta`` holds ``epoch`` and ``iter``.
        path: Of the file, for the message.

    Raises:
        DataError: If it is not.
    """
    meta = checkpoint['meta']
    for key in ('epoch', 'iter'):
        if type(meta[key]) is not int or meta[key] < 0:
            raise _damaged(path, f"'{key}' of its meta as a whole number, at least 0", meta[key])
    seed = meta.get('seed')
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**32):
        raise _damaged(path, "'seed' of its meta as a whole number from 0 to 4294967295", seed)
    for key in ('message_hub', 'optimizer', 'stages'):
        if (key in checkpoint or key == 'message_hub') and not isinstance(checkpoint.get(key), Mapping):
            raise _damaged(path, f'{key!r} as a dict', checkpoint.get(key))
    if 'optimizer' not in checkpoint:
        print_log(
            f'{path} holds no state of the optimiser, as CheckpointHook(save_optimizer=False) saves it: its momentum '
            'begins anew.',
            logger='current',
            level=logging.WARNING,
        )
    optimizer = checkpoint.get('optimizer', {})
    states = [optimizer] if 'param_groups' in optimizer else list(optimizer.values())  # one optimiser, or several
    if 'optimizer' in checkpoint and not (states and all(map(_is_optimizer, states))):
        raise _damaged(path, "'optimizer' with a dict 'state' and a list 'param_groups'", optimizer)
    schedules = checkpoint.get('param_schedulers', [])
    lists = list(schedules.values()) if isinstance(schedules, Mapping) else [schedules]
    if not all(isinstance(one, (list, tuple)) and all(isinstance(part, Mapping) for part in one) for one in lists):
        raise _damaged(path, "'param_schedulers' as a list of dicts", schedules)
    for key in ('best', 'loss'):
        part = checkpoint.get('stages', {}).get(key)
        if part is not None and not isinstance(part, Mapping):
            raise _damaged(path, f"'{key}' of its 'stages' as a dict", part)
    if POSITION in checkpoint:
        position = Position.parse(checkpoint[POSITION])
        if position.by_epoch and position.epoch != meta['epoch']:
            raise _damaged(path, f'{POSITION!r} in the epoch of its meta, {meta["epoch"]}', position.epoch)


def _is_optimizer(state: Any) -> bool:
    groups = state.get('param_groups') if isinstance(state, Mapping) else None
    is_list = isinstance(groups, list) and bool(groups) and all(isinstance(group, Mapping) for group in groups)
    return is_list and isinstance(state.get('state'), Mapping)


def _damaged(path: str, expected: str, value: Any) -> DataError:
    got = f'a dict of {", ".join(map(str, value)) or "nothing"}' if isinstance(value, Mapping) else repr(value)
    return DataError(f'{path} must hold {expected}, got {got[:80]}. {_DAMAGED}')
