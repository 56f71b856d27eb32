"""What a stage changes, in the words of its plan, from the config alone: a run that is over has no more to ask."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .plan_rows import ROWS, in_short


def stage_changes(stage: Mapping[str, Any]) -> dict[str, str]:
    """What a stage changes, by the names of ``plan_rows.ROWS`` and in their order.

    Args:
        stage: Its dict in the config. A key that is not known here, as of another version, is a row of its own.
    """
    told = {key: value for key, value in stage.items() if value is not None and key not in ('name', 'epochs')}
    rows = {}
    for key, value in told.items():
        name, words = _WORDS.get(key, (key.replace('_', ' '), in_short))
        rows[name] = words(value)
    order = {name: place for place, name in enumerate(ROWS)}
    return {name: rows[name] for name in sorted(rows, key=lambda name: order.get(name, len(order))) if rows[name]}


def _names(names: str | Sequence[str]) -> str:
    return names if isinstance(names, str) else ', '.join(names)


def _calls(configs: Mapping[str, Any] | Sequence[Any]) -> str:
    return ', '.join(map(in_short, [configs] if isinstance(configs, Mapping) else configs)) or 'constant'


def _settings(changes: Mapping[str, Any]) -> str:
    """Entries of a dict that is merged into another, inner ones by dotted names."""
    return ', '.join(f'{name}={in_short(value)}' for name, value in _flat(changes))


def _flat(changes: Mapping[str, Any], prefix: str = '') -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in changes.items():
        is_inner = isinstance(value, Mapping) and 'type' not in value
        found += _flat(value, f'{prefix}{key}.') if is_inner else [(f'{prefix}{key}', value)]
    return found


def _weights(weights: Mapping[str, float]) -> str:
    return ', '.join(f'{name} {weight:g}' for name, weight in weights.items())


def _best(chosen: str | Mapping[str, Any]) -> str:
    return f'best weights of the stage before by {chosen if isinstance(chosen, str) else chosen.get("metric")}'


_WORDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    'sampler': ('sampler', in_short),
    'pipeline': ('transforms', _calls),
    'augments': ('augments', lambda steps: ', '.join(map(in_short, steps)) or 'none'),
    'mixing': ('mixing', lambda is_kept: '' if is_kept else 'none'),
    'load_best': ('begins with', _best),
    'head': ('head', _settings),
    'loss': ('loss', in_short),
    'loss_weights': ('loss weights', _weights),
    'freeze': ('frozen', _names),
    'reset': ('reset', _names),
    'optim_wrapper': ('optimiser', _settings),
    'lr': ('learning rate', lambda rate: f'{rate:.3g}'),
    'param_scheduler': ('schedule', _calls),
}
