"""Publishes the class centroids that the head has collected, once per pass over the training set."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmdrl.models import ClassCentroids
from mmdrl.registry import HOOKS


@HOOKS.register_module()
class CentroidHook(Hook):
    """Calls :meth:`ClassCentroids.publish` after every training epoch, before validation and checkpoint.

    A loop that counts iterations has no epochs; there the centroids are published every ``interval``.

    Args:
        interval: Iterations between two publications in an iteration-based loop. Not given: as many as the
            training loader has batches.
    """

    def __init__(self, interval: int | None = None):
        self.interval = interval

    def after_train_epoch(self, runner: Runner) -> None:
        """Publish at the end of the epoch."""
        _publish(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Publish every ``interval`` iterations of a loop without epochs."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            interval = self.interval or len(runner.train_dataloader)
            if self.every_n_train_iters(runner, interval):
                _publish(runner)


def _publish(runner: Runner) -> None:
    for module in runner.model.modules():
        if isinstance(module, ClassCentroids):
            module.publish()
