"""What a long tail is to look like, checked before any data are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mmdrl.datasets.arguments import check_whole, is_finite, is_whole
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
        if ratio is None and not self.indices_file and self.part != 'holdout':
            raise ConfigError('A long tail needs imbalance_ratio or indices_file, got neither.')
        if ratio is not None and not (is_finite(ratio) and ratio >= 1):
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
        check_whole('seed', self.seed, 0)
        if self.seed >= 2**32:
            raise ConfigError(f'seed must be below 2**32, got {self.seed}.')
        least, when = (1, " for part='holdout'") if self.part == 'holdout' else (0, '')
        check_whole('holdout_per_class', self.holdout_per_class, least, when)
        if self.max_count is not None:
            check_whole('max_count', self.max_count, 1)
        order = self.class_order
        is_listed = not isinstance(order, str) and isinstance(order, Sequence) and all(map(is_whole, order))
        if not is_listed and not (isinstance(order, str) and order in get_args(ClassOrder)):
            raise ConfigError(f"class_order must be 'label', 'size' or a list of all labels, got {order!r:.80}.")
