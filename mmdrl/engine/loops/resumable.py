"""What both loops share: where they are goes into every checkpoint and is taken up again from it."""

from collections.abc import Callable, Iterator
from typing import Any

from mmengine.runner import Runner
from torch.utils.data import DataLoader, SequentialSampler

from mmdrl.engine.accumulation import KEY as GRADIENTS
from mmdrl.engine.accumulation import put_back_gradients
from mmdrl.errors import DataError

from .image_seeds import seed_images
from .order import order_of, set_order_seed
from .position import KEY, Position
from .randomness import seed_of_first_process, seed_process
from .saving import GatherHook, StateHook

_NO_BATCH = object()


class ResumableLoop:
    """Mixin for a loop of MMEngine.

    Attributes:
        first_batch: Batches of the present epoch or pass that were used before this process began; 0 in all others.
    """

    runner: Runner
    dataloader: DataLoader
    by_epoch: bool
    first_batch = 0
    val_begin: int
    val_interval: int
    _iter: int
    _decide_current_val_interval: Callable[[], None]
    _is_between_epochs = False  # whether the checkpoint is of the end of an epoch
    _began = 0  # iteration of the first batch of this epoch or pass
    _loaded: dict[str, Any] | None = None  # what a checkpoint says of its state, not looked at yet
    _image_seed: int | None = None

    def register_hooks(self) -> None:
        """Let every checkpoint hold the state of this loop."""
        gathered = GatherHook()
        self.runner.register_hook(gathered)
        self.runner.register_hook(StateHook(self, gathered))

    def position(self, epoch: int, iteration: int) -> Position:
        """Position of a checkpoint whose ``meta`` names so many finished epochs and iterations."""
        raise NotImplementedError

    def position_unsaved(self) -> Position:
        """Position of a checkpoint that holds none: what MMEngine's own loop would make of it."""
        raise NotImplementedError

    def take_up(self, loaded: dict[str, Any]) -> None:
        """Keep what a checkpoint says of its state until it shows whether the run resumes from it."""
        self._loaded = loaded

    def find_place(self) -> int:
        """Set the first batch where the checkpoint was saved, restore order and gradients; returns epoch or pass.

        Raises:
            ConfigError: If the checkpoint was saved inside an epoch of another order.
            DataError: If its position or its gradients are damaged.
        """
        here = self.position_unsaved()
        if self._iter == 0:
            return here.epoch
        log = self.runner.logger.info
        loaded, self._loaded = self._loaded or {}, None
        put_back_gradients(self.runner, loaded.get(GRADIENTS))
        if KEY in loaded:
            saved = Position.parse(loaded[KEY])
            if self.by_epoch and saved.by_epoch and saved.epoch != here.epoch:
                raise DataError(
                    f'The checkpoint is of epoch {here.epoch}, but its {KEY!r} of epoch {saved.epoch}. It is damaged: '
                    'resume from another checkpoint.'
                )
        else:
            log(
                "The checkpoint does not say where in the data it was saved, as those of MMEngine's own loops do not. "
                f'Going on with batch {here.batches + 1} of epoch {here.epoch + 1}.'
            )
            saved = here
        saved.check_same_order(here)
        self._is_between_epochs = KEY in loaded and saved.batches == 0
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

    def repeat_validation(self, count: int, last: int) -> None:
        """Validate if that was due right after the checkpoint, which was saved before.

        Args:
            count: Epochs or iterations that are done.
            last: As many as the run has.
        """
        runner, loop = self.runner, self.runner.val_loop
        if self._iter == 0 or loop is None:
            return
        self._decide_current_val_interval()
        if count >= self.val_begin and (count % self.val_interval == 0 or count == last):
            runner.logger.info('Validating first, as the checkpoint was saved before a validation that was due.')
            loop.run()

    def seed_images(self, epoch: int) -> None:
        """Seed every image of the next pass, of this number."""
        if self._image_seed is None:
            self._image_seed = seed_of_first_process(self.runner.seed)
        seed_images(self.dataloader, self._image_seed, epoch)

    def seeded(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The batches, with all random numbers of an iteration seeded before it begins.

        That is after its images are there: those that this process loads itself have left its generators anywhere.
        """
        while True:
            batch = next(batches, _NO_BATCH)
            seed_process(self.runner.seed, 'iteration', self._iter)
            if batch is _NO_BATCH:
                return
            yield batch
