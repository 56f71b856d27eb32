"""Where in the data a checkpoint was saved, and where that is in the data of the run that resumes.

A position counts batches of all processes together. So it holds for any number of processes, as long as the samplers
deal one order out to all of them, and the total batch is the same; for another total batch it is rounded down.
"""

from dataclasses import asdict, dataclass
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size

from mmdrl.errors import ConfigError, DataError

from .order import order_of, order_seed

KEY = 'position'
_KINDS: dict[str, Any] = dict(
    by_epoch=bool, epoch=int, batches=int, batches_per_epoch=int, total_batch=int, images=int, sampler=str, seed=int
)
_OPTIONAL = ('batches_per_epoch', 'total_batch', 'seed')
_DAMAGED = 'It is damaged: resume from another checkpoint.'
_ALTERNATIVE = 'Resume with what it was trained with, or from a checkpoint saved at the end of an epoch.'


@dataclass(frozen=True)
class Position:
    """How far a run has come in its data.

    Attributes:
        by_epoch: Whether the loop counts epochs.
        epoch: Epoch, or pass over the data, from 0.
        batches: Batches of it that each process has used.
        batches_per_epoch: Batches of the whole epoch; ``None`` if it has no end, or does not tell.
        total_batch: Images in one batch of all processes; ``None`` if that is not fixed.
        images: Length of the data set.
        sampler: Class that decides on the order.
        seed: Its seed, if it has one.
    """

    by_epoch: bool
    epoch: int
    batches: int
    batches_per_epoch: int | None
    total_batch: int | None
    images: int
    sampler: str
    seed: int | None

    @classmethod
    def of(cls, loader: Any, by_epoch: bool, epoch: int, batches: int) -> 'Position':
        """The position after so many batches of a loader."""
        batch_size = getattr(loader.batch_sampler, 'batch_size', None)
        length = batches_of_pass(loader)
        return cls(
            by_epoch=by_epoch,
            epoch=epoch,
            # A loop that counts epochs may be asked between the last batch and the next epoch.
            batches=batches if length is None else min(batches, length),
            batches_per_epoch=length,
            total_batch=batch_size * get_world_size() if isinstance(batch_size, int) else None,
            images=len(loader.dataset),
            sampler=type(order_of(loader)).__name__,
            seed=order_seed(loader),
        )

    @classmethod
    def parse(cls, value: Any) -> 'Position':
        """The position that a checkpoint holds.

        Raises:
            DataError: If it is none.
        """
        entries = value if isinstance(value, dict) else {}
        for name, kind in _KINDS.items():
            entry: Any = entries.get(name)
            is_right = type(entry) is kind and (kind is not int or entry >= 0)
            if not (is_right or (entry is None and name in entries and name in _OPTIONAL)):
                raise DataError(
                    f"The checkpoint's {KEY!r} must hold {name} as {kind.__name__}{', at least 0' * (kind is int)}, "
                    f'got {entry if name in entries else value!r}. {_DAMAGED}'
                )
        position = cls(**{name: entries[name] for name in _KINDS})
        if position.batches_per_epoch is not None and position.batches > position.batches_per_epoch:
            raise DataError(
                f"The checkpoint's {KEY!r} must lie inside its epoch of {position.batches_per_epoch} batches, got "
                f'{position.batches}. {_DAMAGED}'
            )
        return position

    def to_dict(self) -> dict[str, Any]:
        """Plain values, which load with ``weights_only=True``."""
        return asdict(self)

    def check_same_order(self, now: 'Position') -> None:
        """Inside an epoch, the rest must be the rest of the same order.

        Raises:
            ConfigError: If loop, data or sampler are others.
        """
        if self.by_epoch != now.by_epoch:
            kinds = {True: 'epochs', False: 'iterations'}
            raise ConfigError(
                f'The checkpoint is of a loop that counts {kinds[self.by_epoch]}, train_cfg has one that counts '
                f'{kinds[now.by_epoch]}. Resume with the same kind of loop, or start anew with load_from.'
            )
        if self.batches == 0:
            return
        if self.images != now.images or self.sampler != now.sampler:
            raise ConfigError(
                f'The checkpoint was saved inside an epoch of {self.images} images in the order of {self.sampler}, but '
                f'the run has {now.images} images and {now.sampler}. {_ALTERNATIVE}'
            )
        if self.total_batch == now.total_batch and self.batches_per_epoch != now.batches_per_epoch:
            raise ConfigError(
                f'The checkpoint was saved inside an epoch of {self.batches_per_epoch} batches, but those of the run '
                f'have {now.batches_per_epoch}. {_ALTERNATIVE}'
            )

    def batches_in(self, now: 'Position') -> int:
        """Whole batches of the present run that this position is worth."""
        if self.total_batch == now.total_batch or self.total_batch is None or now.total_batch is None:
            return self.batches
        if self.batches == self.batches_per_epoch and now.batches_per_epoch is not None:
            return now.batches_per_epoch
        batches = self.batches * self.total_batch // now.total_batch
        return batches if now.batches_per_epoch is None else min(batches, now.batches_per_epoch)


def batches_of_pass(loader: Any) -> int | None:
    """Batches of one pass; ``None`` if it has no end, or does not tell."""
    if isinstance(order_of(loader), InfiniteSampler):  # whose length is that of the data set
        return None
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None
