"""Random numbers of every image as a function of seed, epoch and place in the order of all processes.

torch fetches a batch by going through the list of its positions, in a worker or in the training process. The lists
handed out here seed Python, NumPy and torch whenever the next position is taken from them. So an image comes out alike
from any worker and any process, and in a run that resumes. Not reached are loaders with ``batch_size=None``, which
have no lists, and transforms that keep a generator of their own.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from numpy.typing import NDArray

from .randomness import image_words, pass_key, seed_image


class SeedingBatch(list[Any]):
    """Positions of one batch; going through them seeds the generators of the process that does.

    Args:
        positions: What the batch sampler has given.
        key: Of the pass, by :func:`~mmdrl.engine.loops.randomness.pass_key`.
        first: Place of the first in the order of all processes.
        step: From one place to the next.
    """

    def __init__(self, positions: Iterable[Any], key: int, first: int, step: int):
        super().__init__(positions)
        self.key, self.first, self.step = key, first, step

    def __iter__(self) -> Iterator[Any]:
        """The positions, each after the generators are seeded for it."""
        place = self.first
        for position in super().__iter__():
            seed_image(self.key, place)
            yield position
            place += self.step

    def image_seeds(self) -> NDArray[np.int64]:
        """The number that each position seeds with, shape ``(B,)``: for what draws for a whole batch at once."""
        places = self.first + self.step * np.arange(len(self), dtype=np.uint64)
        return image_words(self.key, places.astype(np.uint64)).view(np.int64)

    def __reduce__(self) -> tuple[Any, ...]:
        """A plain copy of the list, as pickling would go through the positions otherwise."""
        return type(self), (self[:], self.key, self.first, self.step)


class SeedingBatches:
    """A batch sampler that hands out the batches of another as :class:`SeedingBatch`; all else is as there.

    Of W processes each is taken to have every W-th place of one order, as those of MMEngine's samplers and ours have.

    Args:
        batches: The batch sampler.

    Attributes:
        seed: Of the run, the same on all processes.
        epoch: Which pass begins when the next iterator is made.
    """

    def __init__(self, batches: Any):
        self.batches = batches
        self.seed = self.epoch = 0

    def __iter__(self) -> Iterator[Any]:
        """One pass; the epoch is that of this moment, whenever the first batch is taken."""
        return self._seeding(iter(self.batches), pass_key(self.seed, self.epoch))

    def __len__(self) -> int:
        """Batches of a pass."""
        return len(self.batches)

    def __getattr__(self, name: str) -> Any:
        """Of the batch sampler: ``sampler``, ``batch_size``, ``drop_last`` and so on."""
        if name.startswith('__'):  # asked of an empty instance by copy and pickle
            raise AttributeError(name)
        return getattr(vars(self)['batches'], name)

    @staticmethod
    def _seeding(batches: Iterator[Any], key: int) -> Iterator[Any]:
        rank, world_size = get_dist_info()
        count = 0
        for batch in batches:
            is_list = isinstance(batch, (list, tuple))
            yield SeedingBatch(batch, key, count * world_size + rank, world_size) if is_list else batch
            count += len(batch) if is_list else 0


def seed_images(loader: Any, seed: int, epoch: int) -> None:
    """Let the next pass of a loader seed every image; its batch sampler is replaced the first time.

    Args:
        loader: As torch has it.
        seed: Of the run, the same on all processes, at least 0.
        epoch: Number of the pass, from 0.
    """
    if loader.batch_sampler is None:
        return
    if not isinstance(loader.batch_sampler, SeedingBatches):
        vars(loader)['batch_sampler'] = SeedingBatches(loader.batch_sampler)  # a made loader allows no assignment
    loader.batch_sampler.seed, loader.batch_sampler.epoch = seed, epoch
