"""Publishes the class centroids that the head has collected, once per pass over the training set."""

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn

from mmdrl.models import ClassCentroids
from mmdrl.registry import HOOKS

from .companions import check_companions


@HOOKS.register_module()
class CentroidHook(Hook):
    """Calls :meth:`ClassCentroids.publish` after every training epoch, before validation and checkpoint.

    A loop that counts iterations has no epochs; there the centroids are published every ``interval``.
    The averaged model of an ``EMAHook`` gets the same centroids: those of the model that trains.

    Args:
        interval: Iterations between two publications in an iteration-based loop. Not given: as many as the
            training loader has batches.

    Raises:
        ConfigError: Before training, if the head has the DR loss and ``ClassCountsHook`` is missing.
    """

    def __init__(self, interval: int | None = None):
        self.interval = interval

    def before_train(self, runner: Runner) -> None:
        """Check that the other hook of the head is there."""
        check_companions(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the sums afresh.

        A resumed run may bring sums along. An epoch loop does the interrupted epoch again, from its start; an
        iteration loop goes on, but the checkpoint holds the sums of the first process only.
        """
        if not isinstance(runner.train_loop, IterBasedTrainLoop) or get_rank() > 0:
            for centroids in _centroids(runner.model):
                centroids.discard()

    def after_train_epoch(self, runner: Runner) -> None:
        """Publish at the end of the epoch."""
        _publish(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Publish every ``interval`` iterations of a loop without epochs."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            interval = self.interval or len(runner.train_dataloader)
            if self.every_n_train_iters(runner, interval):
                _publish(runner)


def _centroids(model: nn.Module) -> list[ClassCentroids]:
    return [module for module in model.modules() if isinstance(module, ClassCentroids)]


def _publish(runner: Runner) -> None:
    for centroids in _centroids(runner.model):
        centroids.publish()
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            for averaged, centroids in zip(_centroids(hook.ema_model), _centroids(runner.model), strict=True):
                averaged.load_state_dict(centroids.state_dict())
