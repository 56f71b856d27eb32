"""What each benchmark is to show, in one place: the number of its result file, and how large it may or must be.

Imports nothing but the standard library: tables of the documentation are made from here.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / 'results'
Key = str | int | Mapping[str, Any]


class Goal(NamedTuple):
    """One number and its bound.

    Attributes:
        what: In words; the number is a ratio unless they name a unit.
        benchmark: Script in this folder, without its ending.
        path: To the number in the result file; a mapping takes the row of a list that has these values.
        sign: ``'<='`` or ``'>='``.
        target: The bound.
        device: ``'cpu'`` or ``'cuda'``.
    """

    what: str
    benchmark: str
    path: tuple[Key, ...]
    sign: str
    target: float
    device: str = 'cpu'

    @property
    def file(self) -> str:
        """Name of the result file."""
        return f'{self.benchmark}_{self.device}.json'

    @property
    def command(self) -> str:
        """What makes it."""
        needs = {'epoch': ' --released path/to/DRO-LT', 'loss': ' --released path/to/losses.py'}.get(self.benchmark, '')
        return f'python benchmarks/{self.benchmark}.py' + needs + ' --device cuda' * (self.device == 'cuda')

    def number(self, folder: Path = RESULTS) -> float | None:
        """That of the result file in a folder; ``None`` if there is none yet."""
        try:
            content = json.loads((folder / self.file).read_text())
            return look_up(content, self.path)
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def is_met(self, number: float) -> bool:
        """Whether a number is within the bound."""
        return number <= self.target if self.sign == '<=' else number >= self.target

    def verdict(self, number: float | None) -> str:
        """``met``, ``not met``, or ``open`` where nothing is measured."""
        return 'open' if number is None else 'met' if self.is_met(number) else 'not met'


def look_up(content: Any, path: tuple[Key, ...]) -> float:
    """The number at the end of a path: of quartiles the median, of several numbers the largest.

    Raises:
        LookupError: If the path leads nowhere.
        TypeError: If there is no number.
    """
    for key in path:
        if isinstance(key, Mapping):
            content = next((row for row in content if all(row.get(name) == key[name] for name in key)), None)
            if content is None:
                raise LookupError(f'no row with {dict(key)}')
        else:
            content = content[key]
    if isinstance(content, Mapping):
        content = content['median'] if {'median', 'low', 'high'} <= set(content) else max(content.values())
    return float(content)


def _data(steps: str, workers: int) -> tuple[Key, ...]:
    return 'rows', dict(steps=steps, workers=workers), 'ratio'


def _step(network: str, mode: str) -> tuple[Key, ...]:
    return 'rows', dict(network=network, mode=mode), 'ratio'


POLICY = 'crop, flip, AutoAugment, Cutout'
GROWTH = 'exponent of time over size beyond what must grow, the largest'
FED = 'a step with its loader / one whose batch is there'
EPOCH = 'an epoch of the released code / ours, each with its augmentation'
PASSES = 'the same without augmentation'
GOALS = (
    Goal(
        'crop and flip of 32 x 32, no workers: images per second / MMPretrain',
        'data_path',
        _data('crop, flip', 0),
        '>=',
        10,
    ),
    Goal('the same with 2 workers', 'data_path', _data('crop, flip', 2), '>=', 10),
    Goal(
        'AutoAugment and Cutout too, no workers: images per second / MMPretrain',
        'data_path',
        _data(POLICY, 0),
        '>=',
        15,
    ),
    Goal('the same with 2 workers', 'data_path', _data(POLICY, 2), '>=', 15),
    Goal(FED, 'data_path', ('step', 'ratio'), '<=', 1.1),
    Goal(FED, 'data_path', ('step', 'ratio'), '<=', 1.1, 'cuda'),
    Goal('DR head / linear head, a step of ResNet-32', 'step', _step('ResNet-32', 'eager'), '<=', 1.05),
    Goal('DR head / linear head, a step of ResNet-32', 'step', _step('ResNet-32', 'eager'), '<=', 1.05, 'cuda'),
    Goal('the same, compiled', 'step', _step('ResNet-32', 'compiled'), '<=', 1.03),
    Goal('the same, compiled', 'step', _step('ResNet-32', 'compiled'), '<=', 1.03, 'cuda'),
    Goal('DR head / linear head, a step of ResNet-50', 'step', _step('ResNet-50', 'eager'), '<=', 1.01, 'cuda'),
    Goal('DR head / linear head, memory of a step', 'step', ('memory', 'ratio'), '<=', 1.02, 'cuda'),
    Goal(EPOCH, 'epoch', ('goals', 1, 'found'), '>=', 1.3),
    Goal(PASSES, 'epoch', ('goals', 0, 'found'), '>=', 1.3),
    Goal(EPOCH, 'epoch', ('goals', 1, 'found'), '>=', 3, 'cuda'),
    Goal(PASSES, 'epoch', ('goals', 0, 'found'), '>=', 3, 'cuda'),
    Goal('ms of an iteration that all hooks add', 'loop', ('goals', 0, 'found'), '<=', 0.1),
    Goal('s that mmdrl adds to import mmpretrain', 'startup', ('goals', 0, 'found'), '<=', 0.3),
    Goal('s of the slowest tool -h', 'startup', ('goals', 1, 'found'), '<=', 0.5),
    Goal('s to the first iteration beyond the imports', 'startup', ('goals', 2, 'found'), '<=', 5),
    Goal(GROWTH, 'scaling', ('ratios', 'worst_excess'), '<=', 0.2),
    Goal(GROWTH, 'scaling', ('ratios', 'worst_excess'), '<=', 0.2, 'cuda'),
)
# In the README: benchmark, device, and where in the result file.
_README = (
    ('data_path', 'cpu', _data('crop, flip', 0)),
    ('data_path', 'cpu', _data(POLICY, 0)),
    ('data_path', 'cuda', ('step', 'ratio')),
    ('step', 'cpu', _step('ResNet-32', 'eager')),
    ('step', 'cuda', _step('ResNet-50', 'eager')),
    ('epoch', 'cpu', ('goals', 1, 'found')),
    ('loop', 'cpu', ('goals', 0, 'found')),
    ('scaling', 'cpu', ('ratios', 'worst_excess')),
)
SHORT = tuple(goal for goal in GOALS if (goal.benchmark, goal.device, goal.path) in _README)

# What run.py runs; some have no bound and are watched only.
BENCHMARKS = (
    'step',
    'data_path',
    'loop',
    'epoch',
    'startup',
    'scaling',
    'loss',
    'samplers',
    'lists',
    'checkpoints',
    'distributed',
)
