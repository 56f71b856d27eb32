"""Iterations that go on where they were interrupted, without loading what was used before."""

from collections.abc import Iterator
from typing import Any

from mmengine.runner import BaseLoop, IterBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader

from mmdrl.datasets.wrappers import check_slice
from mmdrl.engine.processes import check_whole_blocks
from mmdrl.errors import ConfigError
from mmdrl.registry import LOOPS

from .order import rest_of_pass, set_order_epoch
from .position import Position, batches_of_pass
from .randomness import seed_process
from .resumable import ResumableLoop


@LOOPS.register_module()
class ResumableIterLoop(ResumableLoop, IterBasedTrainLoop):
    """MMEngine's loop over iterations, whose resumed run skips positions instead of loading images.

    Any sampler will do: one that ends is told the number of the pass and starts again, at once.

    Args:
        runner: The runner.
        dataloader: Loader or its config.
        **settings: As ``IterBasedTrainLoop``: ``max_iters``, ``val_begin``, ``val_interval``, ``dynamic_intervals``.

    Raises:
        ConfigError: If a batch would cut the blocks of a ``BatchBalancedSampler``; when a run resumes with other data
            or another sampler, or a pass has no batch.
        DataError: If the position in the checkpoint is damaged.
    """

    by_epoch = False

    def __init__(self, runner: Any, dataloader: DataLoader | dict[str, Any], **settings: Any):
        BaseLoop.__init__(self, runner, dataloader)
        loader = self.dataloader
        check_slice(loader.dataset)
        check_whole_blocks(loader)
        # MMEngine's loop starts its workers here, before a checkpoint says where; a loader without batches has none.
        super().__init__(runner, DataLoader(loader.dataset, batch_sampler=[]), **settings)
        self.dataloader = loader
        self._pass = 0
        self.register_hooks()

    def position(self, epoch: int, iteration: int) -> Position:
        """Position of a checkpoint whose ``meta`` names so many finished epochs and iterations."""
        return Position.of(self.dataloader, by_epoch=False, epoch=self._pass, batches=iteration - self._began)

    def position_unsaved(self) -> Position:
        """As many batches from the beginning as there have been iterations."""
        length = batches_of_pass(self.dataloader)
        passed, batches = divmod(self._iter, length) if length else (0, self._iter)
        return Position.of(self.dataloader, by_epoch=False, epoch=passed, batches=batches)

    def run(self) -> nn.Module:
        """Train."""
        self._pass = self.find_place()
        runner = self.runner
        runner.call_hook('before_train')
        seed_process(runner.seed, 'epoch', 0)
        runner.call_hook('before_train_epoch')
        self.dataloader_iterator = self._batches()
        self.repeat_validation(self._iter, self._max_iters)
        while self._iter < self._max_iters and not self.stop_training:
            runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            is_due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
            if runner.val_loop is not None and self._iter >= self.val_begin and is_due:
                runner.val_loop.run()
        runner.call_hook('after_train_epoch')
        runner.call_hook('after_train')
        return runner.model

    def _batches(self) -> Iterator[Any]:
        """Pass after pass, the first from where the run resumes."""
        self._begin_pass()
        loader = rest_of_pass(self.dataloader, self.first_batch) if self.first_batch else self.dataloader
        while True:
            yield from self.seeded(iter(loader))
            if self._began == self._iter:
                raise ConfigError(
                    'Expected at least one batch in a pass over the training set, got none. Make '
                    'train_dataloader.batch_size smaller, or drop_last=False.'
                )
            self._pass, self._began, self.first_batch = self._pass + 1, self._iter, 0
            self._begin_pass()
            loader = self.dataloader

    def _begin_pass(self) -> None:
        set_order_epoch(self.dataloader, self._pass)
        self.seed_images(self._pass)
