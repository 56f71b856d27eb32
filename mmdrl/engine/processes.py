"""What several processes that train one model together must agree on, so that their batches make one batch."""

from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import all_gather, get_world_size
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mmdrl.datasets import BatchBalancedSampler
from mmdrl.errors import ConfigError

UNKNOWN = (-1, -1, -1)


def check_buffers_left_alone(model: nn.Module) -> None:
    """No wrapper may overwrite the buffers of every process by those of the first, as DDP can at every step.

    Args:
        model: The model as the runner holds it, wrapped or not.

    Raises:
        ConfigError: If one does.
    """
    if get_world_size() == 1:
        return
    for module in model.modules():
        if isinstance(module, DistributedDataParallel) and module.broadcast_buffers:
            raise ConfigError(
                "Centroids of mode 'running' are sums that each process keeps of its own images, but "
                f'{type(module).__name__} overwrites them by those of the first process. Set '
                "model_wrapper_cfg=dict(type='MMDistributedDataParallel', broadcast_buffers=False)."
            )


def check_equal_shares(loader: Any) -> None:
    """Batches must have the same sizes on all processes, all of which must call this; else they wait for ever.

    Nothing is said of a sampler that does not know its length.

    Args:
        loader: The training loader of this process.

    Raises:
        ConfigError: On all processes, if a batch differs.
    """
    if get_world_size() == 1:
        return
    shares = [tuple(share.tolist()) for share in all_gather(torch.tensor(_share(loader)))]
    if UNKNOWN in shares or len({_batches(*share) for share in shares}) == 1:
        return
    counts, sizes, _ = zip(*shares, strict=True)
    raise ConfigError(
        'The DR loss and moving centroids need batches of the same sizes on all processes, got samplers of '
        f'{", ".join(map(str, counts))} images in batches of {", ".join(map(str, sizes))}. Set round_up=True in the '
        'training sampler (mmengine.DefaultSampler), or train_dataloader.drop_last=True if that makes them equal.'
    )


def check_whole_blocks(loader: Any, processes: int | None = None) -> None:
    """The blocks of a :class:`~mmdrl.datasets.BatchBalancedSampler` must lie whole in the batches of all processes.

    Args:
        loader: The training loader of this process.
        processes: How many there are to be; as many as there are if not given.

    Raises:
        ConfigError: If a batch would cut a block.
    """
    processes = get_world_size() if processes is None else processes
    batches = getattr(loader, 'batch_sampler', None)
    sampler, size = getattr(batches, 'sampler', None), getattr(batches, 'batch_size', None)
    if not isinstance(sampler, BatchBalancedSampler) or size is None:
        return
    total = size * processes
    if total % sampler.block_size:
        raise ConfigError(
            f'{sampler.classes_per_batch} classes of {sampler.samples_per_class} images each are '
            f'{sampler.block_size} images, of which the batches of all processes together must hold a multiple; '
            f'{processes} x {size} = {total} is none. Change train_dataloader.batch_size, or classes_per_batch '
            'and samples_per_class.'
        )


def batches_per_pass(loader: Any) -> int:
    """Batches of this process until all processes together have seen the training set once.

    Args:
        loader: The training loader. MMEngine's ``InfiniteSampler`` tells the length of the whole set, others that
            of the share of a process.
    """
    is_whole = isinstance(getattr(loader.batch_sampler, 'sampler', None), InfiniteSampler)
    return -(-len(loader) // get_world_size()) if is_whole else len(loader)


def _share(loader: Any) -> tuple[int, int, int]:
    """Number of images, batch size, and whether an incomplete batch is dropped."""
    batches = getattr(loader, 'batch_sampler', None)
    size = getattr(batches, 'batch_size', None)
    try:
        count = len(batches.sampler)  # type: ignore[union-attr]
    except (AttributeError, TypeError, NotImplementedError):
        return UNKNOWN
    return UNKNOWN if size is None else (count, size, int(getattr(batches, 'drop_last', False)))


def _batches(count: int, size: int, drops_last: int) -> tuple[int, int, int]:
    """Batch size, number of full batches, and size of the last one."""
    return size, count // size, 0 if drops_last else count % size
