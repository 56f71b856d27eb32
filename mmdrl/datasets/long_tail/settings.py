"""What a long tail is to look like, checked before any data are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any, Literal, get_args

from mmdrl.errors import ConfigError
from mmdrl.stats import Profile

Part = Literal['train', 'holdout']
ClassOrder = Literal['label', 'size']


@dataclass(frozen=True)
class LongTailSettings:
    """Arguments of :class:`~mmdrl.datasets.LongTailDataset`, which says what they mean.

    Raises:
        ConfigError: If one is out of range, or neither a ratio nor a selection is given.
    """

    imbalance_ratio: float | None
    profile: Profile
    seed: int
    max_count: int | None
    holdout_per_class: int
    part: Part
    class_order: ClassOrder | Sequence[int]
    indices_file: str
    indices_key: str

    def __post_init__(self) -> None:
        ratio = self.imbalance_ratio
        if ratio is None and not self.indices_file:
            raise ConfigError('A long tail needs imbalance_ratio or indices_file, got neither.')
        is_number = isinstance(ratio, Real) and not isinstance(ratio, bool)
        if ratio is not None and not (is_number and isfinite(ratio) and ratio >= 1):
            raise ConfigError(
                f'imbalance_ratio is largest class / smallest class, at least 1, got {ratio}. '
                'A published factor of 0.01 is a ratio of 100.'
            )
        for name, choices in (('profile', Profile), ('part', Part)):
            if getattr(self, name) not in get_args(choices):
                raise ConfigError(f'{name} must be one of {get_args(choices)}, got {getattr(self, name)!r}.')
        if self.indices_key and not self.indices_file:
            raise ConfigError(
                f'indices_key names an array of indices_file, which is missing; got {self.indices_key!r}.'
            )
        _check_integer('seed', self.seed, 0)
        if self.seed >= 2**32:
            raise ConfigError(f'seed must be below 2**32, got {self.seed}.')
        _check_integer('holdout_per_class', self.holdout_per_class, 1 if self.part == 'holdout' else 0)
        if self.max_count is not None:
            _check_integer('max_count', self.max_count, 1)
        order = self.class_order
        is_listed = not isinstance(order, str) and isinstance(order, Sequence) and all(map(_is_integer, order))
        if not is_listed and not (isinstance(order, str) and order in get_args(ClassOrder)):
            raise ConfigError(f"class_order must be 'label', 'size' or a list of all labels, got {order!r:.80}.")


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check_integer(name: str, value: Any, least: int) -> None:
    if not _is_integer(value) or value < least:
        at = " for part='holdout'" if name == 'holdout_per_class' and least else ''
        raise ConfigError(f'{name} must be a whole number of at least {least}{at}, got {value!r}.')
