"""The words for a stage of a plan, short enough for a column of the terminal."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

ROWS = (
    *(
        'epochs',
        'iterations',
        'batch size',
        'sampler',
        'transforms',
        'augments',
        'mixing',
        'begins with',
        'head',
        'loss',
        'DR loss',
    ),
    *('loss weights', 'learns', 'frozen', 'reset', 'optimiser', 'learning rate', 'schedule'),
)
ALWAYS = ('epochs', 'iterations', 'learns', 'learning rate')  # told of each stage, even if they are alike
_DEFAULTS = (('by_epoch', True), ('loss_weight', 1))
_MOST_NAMES = 6


def stage_rows(stage: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, str]:
    """What there is to say of a stage, by the name of the row, in the order of ``ROWS``.

    Args:
        stage: One of the stages of the plan.
        plan: What :func:`mmdrl.engine.describe.describe_run` tells.
    """
    processes, size = plan['processes'], stage['batch_size']
    learned = f'{count(stage["learned"])} of {count(stage["parameters"])}: {_listed(stage["learned_parts"])}'
    rows = {
        'epochs': _epochs(stage),
        'iterations': _iterations(stage),
        'batch size': f'{size} x {processes} processes = {size * processes}' if processes > 1 else f'{size}',
        'sampler': _optional(stage['sampler']),
        'transforms': ', '.join(map(in_short, stage['pipeline'] or ())),
        'augments': ', '.join(map(in_short, stage['augments'] or ())),
        'mixing': ', '.join(stage['mixing']),
        'begins with': _beginning(stage['load_best']),
        'head': _head(stage),
        'loss': _optional(stage['loss']),
        'DR loss': _optional(stage['dr_loss']),
        'loss weights': _weights(stage),
        'learns': learned,
        'frozen': _listed(stage['frozen']),
        'reset': _listed(stage['reset']),
        'optimiser': _optimiser(stage['optim_wrapper']),
        'learning rate': _rates(stage['lr']),
        'schedule': _schedule(stage),
    }
    return {name: rows[name] for name in ROWS if rows[name]}


def in_short(value: Any) -> str:
    """A config as a call: ``dict(type='mmdrl.A', b=1.0)`` is ``A(b=1)``; a few defaults are left out."""
    if isinstance(value, Mapping):
        settings = [(key, entry) for key, entry in value.items() if key not in ('type', '_scope_')]
        inner = ', '.join(f'{key}={in_short(entry)}' for key, entry in settings if (key, entry) not in _DEFAULTS)
        name = str(value.get('type', 'dict')).rpartition('.')[2]
        return f'{name}({inner})' if inner or 'type' not in value else name
    if isinstance(value, (list, tuple)):
        return f'[{", ".join(map(in_short, value))}]'
    return f'{value:g}' if isinstance(value, float) else repr(value)


def count(number: int) -> str:
    """A number of parameters, in millions from one million on."""
    return f'{number:,}' if number < 1e6 else f'{number / 1e6:.3g} M'


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most so many letters.

    Broken between words; a word too long for a line after a bracket or an equals sign, or else after a dot or an
    underscore; what is longer still stays whole.
    """
    lines = ['']
    for word in text.split():
        gap = ' ' if lines[-1] else ''
        for piece in _pieces(word, width):
            if lines[-1] and len(lines[-1] + gap + piece) > width:
                lines.append('')
                gap = ''
            lines[-1] += gap + piece
            gap = ''
    return '\n'.join(lines)


def _pieces(word: str, width: int, marks: Sequence[str] = ('(=[', '._')) -> list[str]:
    """The word, or its parts if it is longer than a line."""
    if len(word) <= width or not marks:
        return [word]
    parts = re.findall(rf'[^{re.escape(marks[0])}]*(?:[{re.escape(marks[0])}]|$)', word)
    return [piece for part in parts if part for piece in _pieces(part, width, marks[1:])]


def _optional(config: Any) -> str:
    return in_short(config) if config else ''


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ', '.join(names[:_MOST_NAMES]) + (f' and {more} more' if more > 0 else '')


def _epochs(stage: Mapping[str, Any]) -> str:
    first, last = stage['epochs'] or (0, 0)
    return '' if not last else f'{first} to {last}' if first < last else f'{first}'


def _iterations(stage: Mapping[str, Any]) -> str:
    if stage['iterations'] is None:
        return '?'
    each = f', {stage["iterations_per_epoch"]:,} per epoch' if stage['epochs'] else ''
    return f'{stage["iterations"]:,}{each}'


def _beginning(best: Mapping[str, Any] | None) -> str:
    if best is None:
        return ''
    less = ' (less is better)' if best['rule'] == 'less' else ''
    return f'best weights of {best["stage"]} by {best["metric"]}{less}'


def _head(stage: Mapping[str, Any]) -> str:
    parts = [stage['head']] if stage['head'] else []
    parts += [f'classifier {in_short(stage["classifier"])}'] if stage['classifier'] else []
    return ', '.join([*parts, *(f'{key}={in_short(value)}' for key, value in stage['prediction'].items())])


def _weights(stage: Mapping[str, Any]) -> str:
    """Factors of the losses that there are, unless there is one of factor 1."""
    weights = {name: w for name, w in stage['loss_weights'].items() if name != 'loss_dr' or stage['dr_loss']}
    is_plain = len(weights) < 2 and all(weight == 1 for weight in weights.values())
    return '' if is_plain else ', '.join(f'{name} {weight:g}' for name, weight in weights.items())


def _optimiser(config: Mapping[str, Any]) -> str:
    optimiser = config.get('optimizer')
    if not isinstance(optimiser, Mapping):
        return in_short(config)
    parts = [in_short({key: value for key, value in optimiser.items() if key != 'lr'})]
    kind = str(config.get('type', 'OptimWrapper')).rpartition('.')[2]
    parts += [kind] if kind != 'OptimWrapper' else []
    others = {key: value for key, value in config.items() if key not in ('optimizer', 'type', '_scope_')}
    return ', '.join([*parts, *(f'{key}={in_short(value)}' for key, value in others.items())])


def _rates(rates: Mapping[str, float | None]) -> str:
    keys = ('first', 'last', 'highest', 'lowest')
    first, last, highest, lowest = ('?' if rates[key] is None else f'{rates[key]:.3g}' for key in keys)
    if first == last == highest == lowest:
        return first
    text = f'{first} to {last}'
    if lowest not in (first, last, '?'):
        return f'{text}, between {lowest} and {highest}'
    return text + ('' if highest in (first, last, '?') else f', at most {highest}')


def _schedule(stage: Mapping[str, Any]) -> str:
    if not stage['begins_schedule']:
        return 'goes on'
    return ', '.join(map(in_short, stage['param_scheduler'] or ())) or 'constant'
