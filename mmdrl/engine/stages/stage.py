"""One stage of a run as data, parsed from its dict in the config."""

import math
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from mmdrl.errors import ConfigError


@dataclass(frozen=True)
class LoadBest:
    """By which metric a stage chooses the weights it begins with.

    Attributes:
        metric: Name as in the log, such as ``'all'`` or ``'ncm/few'``.
        rule: Whether the ``'greater'`` value is better, or the ``'less'``.
    """

    metric: str
    rule: str = 'greater'

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value beats another; nan beats nothing, and any number beats ``None``."""
        if value != value:
            return False
        return than is None or (value > than if self.rule == 'greater' else value < than)


@dataclass(frozen=True)
class Stage:
    """One stage of training; what is not given stays as the config has it.

    Attributes:
        name: Shown in the log, the progress bar and the results.
        epochs: Length, at least 1.
        sampler: Config of the training sampler. A ``ProgressiveSampler`` takes ``begin`` and ``num_epochs`` from the
            stage if they are not given.
        loss: Config of the head's classification loss.
        loss_weights: Factor of each loss of the head, such as ``dict(loss_dr=0.)``; 1 if not given.
        freeze: Names of modules or parameters, ``*`` allowed, that neither learn nor update batch statistics.
        reset: Names of modules, ``*`` allowed, that are initialised anew when the stage begins.
        head: What changes in the config of the head, merged as ``_base_`` does. What has the same name and shape keeps
            its values. The stages after go on with that head.
        optim_wrapper: What changes in the config of the optimiser, merged likewise, for this stage.
        lr: Base learning rate.
        param_scheduler: MMEngine schedules, counted from the stage's first epoch; none means a constant rate.
        pipeline: Transforms of the training images.
        augments: Steps done to whole batches of them, in place of ``data_preprocessor.augments``; empty: none.
        mixing: False: no mixup, cutmix or the like.
        load_best: Begin with the weights of the stage before that were best by a metric of the validation: its name, or
            ``dict(metric=..., rule='less')``.
    """

    name: str
    epochs: int
    sampler: dict[str, Any] | None = None
    loss: dict[str, Any] | None = None
    loss_weights: dict[str, float] = field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()
    head: dict[str, Any] | None = None
    optim_wrapper: dict[str, Any] | None = None
    lr: float | None = None
    param_scheduler: list[dict[str, Any]] | None = None
    pipeline: list[dict[str, Any]] | None = None
    augments: list[dict[str, Any]] | None = None
    mixing: bool = True
    load_best: LoadBest | None = None

    @property
    def has_own_schedule(self) -> bool:
        """Whether rate, schedule and optimiser start afresh: with any of the four keys that bear on them."""
        own = (self.lr, self.param_scheduler, self.optim_wrapper, self.head)
        return any(value is not None for value in own)

    def settings(self) -> dict[str, Any]:
        """What is not as by default, in plain values: two stages are the same if these are."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return {key: plain(value) for key, value in given.items() if value != _default(key)}


def parse_stage(entry: Any) -> Stage:
    """The stage that a dict of a config describes.

    Raises:
        ConfigError: If it is none, a key is unknown or missing, or a value is out of range.
    """
    if not isinstance(entry, dict):
        raise ConfigError(f'A stage must be a dict with name and epochs, got {entry!r}.')
    known = [item.name for item in fields(Stage)]
    unknown = sorted(str(key) for key in entry if key not in known)
    if unknown:
        close = get_close_matches(unknown[0], known, 1)
        hint = f' Did you mean {close[0]}?' if close else ''
        raise ConfigError(
            f'Stage {entry.get("name")!r} takes the keys {", ".join(known)}, got {", ".join(unknown)}.{hint}'
        )
    missing = [key for key in ('name', 'epochs') if key not in entry]
    if missing:
        raise ConfigError(f'A stage needs {" and ".join(missing)}, got only {", ".join(entry) or "nothing"}.')
    name = entry['name']
    if not (isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable()):
        raise ConfigError(f'The name of a stage must have 1 to {_LONGEST_NAME} printable characters, got {name!r}.')
    if not (type(entry['epochs']) is int and entry['epochs'] >= 1):
        raise ConfigError(f'Stage {name!r}: epochs must be a whole number above 0, got {entry["epochs"]!r}.')
    for key, kind in _KINDS.items():
        if entry.get(key) is not None and not isinstance(entry[key], kind):
            wanted = ' or '.join(one.__name__ for one in kind)
            raise ConfigError(f'Stage {name!r}: {key} must be a {wanted}, got {entry[key]!r}.')
    _check_values(name, entry)
    settings = {key: value for key, value in entry.items() if value is not None}
    for key in ('freeze', 'reset'):
        if key in settings:
            settings[key] = (settings[key],) if isinstance(settings[key], str) else tuple(settings[key])
    if 'param_scheduler' in settings and isinstance(settings['param_scheduler'], dict):
        settings['param_scheduler'] = [settings['param_scheduler']]
    if 'load_best' in settings:
        settings['load_best'] = _parse_best(name, settings['load_best'])
    return Stage(**settings)


_KINDS: dict[str, tuple[type, ...]] = dict(
    sampler=(dict,),
    loss=(dict,),
    loss_weights=(dict,),
    freeze=(str, list, tuple),
    reset=(str, list, tuple),
    head=(dict,),
    optim_wrapper=(dict,),
    lr=(float, int),
    param_scheduler=(list, dict),
    pipeline=(list,),
    augments=(list,),
    mixing=(bool,),
    load_best=(str, dict),
)


_LONGEST_NAME = 40  # characters, for file names have them


def _check_values(name: str, entry: dict[str, Any]) -> None:
    """What is inside values of the right kind."""
    weights = entry.get('loss_weights') or {}
    if not all(_is_number(value) and value >= 0 for value in [entry.get('lr') or 0, *weights.values()]):
        raise ConfigError(
            f'Stage {name!r}: lr and loss_weights must be finite numbers, at least 0, got lr={entry.get("lr")!r}, '
            f'loss_weights={weights!r}.'
        )
    for key, kind in (
        ('freeze', str),
        ('reset', str),
        ('param_scheduler', dict),
        ('pipeline', dict),
        ('augments', dict),
    ):
        parts = entry.get(key)
        parts = parts if isinstance(parts, (list, tuple)) else []
        if not all(isinstance(part, kind) and (kind is str or 'type' in part) for part in parts):
            what = 'names' if kind is str else 'dicts with a type'
            raise ConfigError(f'Stage {name!r}: {key} must hold {what}, got {parts!r}.')
    if entry.get('pipeline') == []:
        raise ConfigError(f'Stage {name!r}: pipeline has no transform, at least PackInputs is needed. Leave it out.')
    if entry.get('sampler') is not None and not isinstance(entry['sampler'].get('type'), (str, type)):
        raise ConfigError(f'Stage {name!r}: sampler must be a dict with a type, got {entry["sampler"]!r}.')


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _parse_best(name: str, value: str | dict[str, Any]) -> LoadBest:
    entries = dict(metric=value) if isinstance(value, str) else dict(value)
    if not set(entries) <= {'metric', 'rule'} or not isinstance(entries.get('metric'), str):
        raise ConfigError(f"Stage {name!r}: load_best takes a metric, and rule='greater' or 'less', got {value!r}.")
    if entries.get('rule', 'greater') not in ('greater', 'less'):
        raise ConfigError(
            f"Stage {name!r}: the rule of load_best must be 'greater' or 'less', got {entries['rule']!r}."
        )
    return LoadBest(**entries)


def _default(key: str) -> Any:
    item = Stage.__dataclass_fields__[key]
    return item.default_factory() if item.default_factory is not MISSING else item.default


def plain(value: Any) -> Any:
    """Of dicts, lists and scalars only, so that it can be saved, and compared with what was."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, LoadBest):
        return plain(vars(value))
    return value if isinstance(value, (str, int, float, bool, type(None))) else getattr(value, '__name__', repr(value))
