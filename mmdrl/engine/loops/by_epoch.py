"""Epochs that go on where they were interrupted."""

from typing import Any

from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from mmdrl.datasets.wrappers import check_slice
from mmdrl.engine.processes import check_whole_blocks
from mmdrl.registry import LOOPS

from .order import rest_of_pass
from .position import Position
from .randomness import seed_process
from .resumable import ResumableLoop


@LOOPS.register_module()
class ResumableEpochLoop(ResumableLoop, EpochBasedTrainLoop):
    """MMEngine's loop over epochs; a checkpoint saved inside an epoch resumes there.

    The rest of the epoch has the images, the order, the batch numbers and the random numbers (of the training process)
    that the unbroken run has, for any number of processes with the same total batch. Checkpoints are saved inside an
    epoch by ``CheckpointHook(by_epoch=False, interval=...)``.

    Args:
        *args: As ``EpochBasedTrainLoop``.
        **settings: Likewise: ``max_epochs``, ``val_begin``, ``val_interval``, ``dynamic_intervals``.

    Attributes:
        epoch_lengths: Batches of each epoch of the run, set by who changes the loader; ``None`` if all are alike.

    Raises:
        ConfigError: If a batch would cut the blocks of a ``BatchBalancedSampler``; when a run resumes inside an epoch
            of other data or another sampler.
        DataError: If the position in the checkpoint is damaged.
    """

    by_epoch = True
    epoch_lengths: list[int] | None = None

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        check_slice(self.dataloader.dataset)
        check_whole_blocks(self.dataloader)
        self.register_hooks()

    def position(self, epoch: int, iteration: int) -> Position:
        """Position of a checkpoint whose ``meta`` names so many finished epochs and iterations."""
        batches = iteration - self._began if epoch == self._epoch else 0
        return Position.of(self.dataloader, by_epoch=True, epoch=epoch, batches=batches)

    def position_unsaved(self) -> Position:
        """The beginning of the epoch."""
        return Position.of(self.dataloader, by_epoch=True, epoch=self._epoch, batches=0)

    def run(self) -> nn.Module:
        """Train."""
        self.find_place()
        self._settle_length()
        runner = self.runner
        runner.call_hook('before_train')
        if self._is_between_epochs:
            self.repeat_validation(self._epoch, self._max_epochs)
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            is_due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
            if runner.val_loop is not None and self._epoch >= self.val_begin and is_due:
                runner.val_loop.run()
        runner.call_hook('after_train')
        return runner.model

    def _settle_length(self) -> None:
        """Let the last iteration be the last also where those before were of other batches or other data.

        Hooks save at it, and accumulated gradients are applied.
        """
        lengths = self.epoch_lengths or [len(self.dataloader)] * self._max_epochs
        ahead = self._iter - sum(lengths[: self._epoch]) - self.first_batch
        if self._iter > 0 and ahead != 0:
            self._max_iters += ahead
            self.runner.optim_wrapper.initialize_count_status(self.runner.model, self._iter, self._max_iters)

    def run_epoch(self) -> None:
        """Train one epoch, or what is left of it."""
        seed_process(self.runner.seed, 'epoch', self._epoch)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        self.seed_images(self._epoch)
        loader = rest_of_pass(self.dataloader, self.first_batch) if self.first_batch else self.dataloader
        for index, batch in enumerate(self.seeded(iter(loader)), self.first_batch):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self._began, self.first_batch = self._iter, 0
