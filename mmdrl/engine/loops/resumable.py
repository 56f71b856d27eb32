"""What both loops share: the position goes into every checkpoint and is taken up again from it."""

from collections.abc import Iterator
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader, SequentialSampler

from mmdrl.errors import DataError

from .order import order_of, set_order_seed
from .position import KEY, Position
from .randomness import seed_process


class ResumableLoop:
    """Mixin for a loop of MMEngine.

    Attributes:
        first_batch: Batches of the present epoch or pass that were used before this process began; 0 in all others.
    """

    runner: Runner
    dataloader: DataLoader
    by_epoch: bool
    first_batch = 0
    _iter: int
    _began = 0  # iteration of the first batch of this epoch or pass
    _is_resumed = False
    _saved: Position | None = None

    def position(self, epoch: int, iteration: int) -> Position:
        """Position of a checkpoint whose ``meta`` names so many finished epochs and iterations."""
        raise NotImplementedError

    def position_unsaved(self) -> Position:
        """Position of a checkpoint that holds none: what MMEngine's own loop would make of it."""
        raise NotImplementedError

    def take_up(self, checkpoint: dict[str, Any]) -> None:
        """Read the position from the checkpoint that the run resumes from."""
        self._is_resumed = True
        if KEY in checkpoint:
            self._saved = Position.parse(checkpoint[KEY])
            epoch = checkpoint['meta']['epoch']
            if self.by_epoch and self._saved.by_epoch and self._saved.epoch != epoch:
                raise DataError(
                    f'The checkpoint is of epoch {epoch}, but its {KEY!r} of epoch {self._saved.epoch}. It is damaged: '
                    'resume from another checkpoint.'
                )

    def find_place(self) -> int:
        """Set the first batch where the checkpoint was saved, and restore the order; returns epoch or pass.

        Raises:
            ConfigError: If the checkpoint was saved inside an epoch of another order.
        """
        here = self.position_unsaved()
        if not self._is_resumed:
            return here.epoch
        log = self.runner.logger.info
        saved = self._saved
        if saved is None:
            log(
                "The checkpoint does not say where in the data it was saved, as those of MMEngine's own loops do not. "
                f'Going on with batch {here.batches + 1} of epoch {here.epoch + 1}.'
            )
            saved = here
        saved.check_same_order(here)
        self.first_batch = saved.batches_in(here)
        self._began = self._iter - self.first_batch
        if saved.sampler == here.sampler:
            set_order_seed(self.dataloader, saved.seed)
        if self.first_batch:
            log(f'Resumed inside epoch {saved.epoch + 1}: {self.first_batch} of its batches are done.')
            if here.seed is None and not isinstance(order_of(self.dataloader), SequentialSampler):
                self.runner.logger.warning(
                    f'The order of {here.sampler} depends on no seed, so images may come twice or not at all until '
                    'the epoch ends.'
                )
        if saved.batches and saved.total_batch != here.total_batch:
            self.runner.logger.warning(
                f'The total batch was {saved.total_batch} and is {here.total_batch}: images from number '
                f'{self.first_batch * (here.total_batch or 0)} of the order on come again, '
                f'{saved.batches * (saved.total_batch or 0)} have been used. Iterations count on from {self._iter}.'
            )
        return saved.epoch

    def seeded(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The batches, with all random numbers of an iteration seeded before it begins."""
        while True:
            seed_process(self.runner.seed, 'iteration', self._iter)
            try:
                batch = next(batches)
            except StopIteration:
                return
            yield batch


class PositionHook(Hook):
    """Carries the position of a loop to and from checkpoints; the loop itself registers it.

    Args:
        loop: The training loop of the runner.
    """

    priority = 'NORMAL'

    def __init__(self, loop: ResumableLoop):
        self.loop = loop

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the position."""
        meta = checkpoint['meta']
        checkpoint[KEY] = self.loop.position(meta['epoch'], meta['iter']).to_dict()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take it up when the run resumes; weights alone (``load_from``) bring none."""
        if runner._resume:
            self.loop.take_up(checkpoint)
