"""Data sets with other transforms: copies that share the annotations and leave the originals alone."""

from collections.abc import Callable
from copy import copy
from typing import Any

from mmengine.dataset import Compose
from mmengine.runner.runner import _SlicedDataset
from torch.utils.data import ConcatDataset

from mmdrl.errors import ConfigError
from mmdrl.registry import TRANSFORMS


def copied(dataset: Any, change: Callable[[Any], None]) -> Any:
    """A copy with the same samples, after ``change`` has seen each data set in it, the innermost first.

    Looks through whatever keeps what it wraps as ``.dataset`` or, as ConcatDataset does, ``.datasets``.
    """
    if isinstance(dataset, _SlicedDataset):  # forwards every attribute, those that copying asks for too
        return _SlicedDataset(copied(dataset._dataset, change), len(dataset))
    twin = copy(dataset)
    if isinstance(dataset, ConcatDataset):
        twin.datasets = [copied(part, change) for part in dataset.datasets]
    elif hasattr(dataset, 'dataset'):
        twin.dataset = copied(dataset.dataset, change)
    change(twin)
    return twin


def is_innermost(dataset: Any) -> bool:
    """Whether a data set wraps no other."""
    return not (isinstance(dataset, ConcatDataset) or hasattr(dataset, 'dataset'))


def build_pipeline(steps: list[dict[str, Any]], owner: str) -> Compose:
    """Transforms of a config.

    Args:
        steps: Their configs.
        owner: Who asks, for the message.

    Raises:
        ConfigError: If one does not exist or does not take its arguments.
    """
    try:
        return Compose([TRANSFORMS.build(step) for step in steps])
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f'{owner}: the pipeline does not fit: {error}') from error
