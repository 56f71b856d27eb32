"""The order in which a loader goes through its data, and the rest of it.

MMEngine hands a loader a sampler, torch one a batch sampler, which wraps a sampler or has an order of its own. What is
skipped here is positions: no image of a skipped batch is loaded.
"""

from collections.abc import Iterator
from copy import copy
from itertools import islice
from typing import Any

from torch.utils.data import DataLoader

from mmdrl.errors import DataError

from .image_seeds import SeedingBatches


def order_of(loader: Any) -> Any:
    """What decides on the order: the sampler, or a batch sampler without one."""
    batches = loader.batch_sampler
    if isinstance(batches, SeedingBatches):
        batches = batches.batches
    return loader.sampler if batches is None else getattr(batches, 'sampler', batches)


def order_seed(loader: Any) -> int | None:
    """Seed of the order; ``None`` if it has none, or one that is no whole number."""
    seed = getattr(order_of(loader), 'seed', None)
    try:
        return None if seed is None else int(seed)
    except (TypeError, ValueError):
        return None


def set_order_seed(loader: Any, seed: int | None) -> None:
    """Let the order depend on another seed, if it depends on one."""
    if seed is not None and order_seed(loader) is not None:
        order_of(loader).seed = seed


def set_order_seeds(loaders: list[Any], seeds: Any) -> None:
    """The same for several loaders, from what a checkpoint holds.

    Raises:
        DataError: If that is not a seed, or ``None``, for each.
    """
    if not (isinstance(seeds, list) and len(seeds) == len(loaders)) or any(
        seed is not None and (type(seed) is not int or seed < 0) for seed in seeds
    ):
        raise DataError(
            f'The checkpoint must hold one seed, or None, for each of {len(loaders)} stages, got {seeds!r}. It is '
            'damaged: resume from another checkpoint.'
        )
    for loader, seed in zip(loaders, seeds, strict=True):
        set_order_seed(loader, seed)


def set_order_epoch(loader: Any, epoch: int) -> None:
    """Tell the order which pass over the data comes next, if it wants to know."""
    order = order_of(loader)
    if hasattr(order, 'set_epoch'):
        order.set_epoch(epoch)


class _Once:
    """An iterator as a sampler: a loader takes its order from it, once."""

    def __init__(self, rest: Iterator[Any]):
        self.rest = rest

    def __iter__(self) -> Iterator[Any]:
        return self.rest


def rest_of_pass(loader: DataLoader, num_batches: int) -> DataLoader:
    """Loader of the same data and settings that begins after so many batches, for one pass.

    Args:
        loader: The whole loader; its sampler knows the epoch already.
        num_batches: Batches of this process to leave out.

    Raises:
        DataError: If the order ends before.
    """
    kind = 'sampler' if loader.batch_sampler is None else 'batch_sampler'
    order = iter(getattr(loader, kind))
    num_skipped = sum(1 for _ in islice(order, num_batches))
    if num_skipped < num_batches:
        raise DataError(
            f'Expected to go on after {num_batches} batches, but {type(order_of(loader)).__name__} gives '
            f'{num_skipped} only. Resume with the data it was trained with, or from the end of an epoch.'
        )
    rest = copy(loader)  # of whatever class and settings
    # A loader allows no assignment to these once it is made; its workers live as long as this pass.
    vars(rest).update({kind: _Once(order), 'persistent_workers': False, '_iterator': None})
    return rest
