"""Brings the class centroids of the head up to date, and stops a run whose features have diverged."""

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmdrl.engine.clean_set import clean_loader
from mmdrl.engine.features import visit_features
from mmdrl.engine.model_parts import find_head
from mmdrl.models import ClassCentroids
from mmdrl.registry import HOOKS

from .companions import check_companions


@HOOKS.register_module()
class CentroidHook(Hook):
    """Publishes centroids after every training epoch, before validation and checkpoint.

    For mode ``'running'`` those that the epoch has summed up. For mode ``'epoch'`` those of an exact pass over the
    training set with the weights as they are: in eval mode, in float32, without augmentation, every image once
    whatever repeats or resamples the training set; another such pass precedes the first epoch unless a checkpoint
    has brought centroids. Mode ``'ema'`` needs no publication. A loop that counts iterations has no epochs; there it
    happens every ``interval``. The averaged model of an ``EMAHook`` gets the same centroids: those of the model
    that trains.

    After every iteration the hook also looks whether the features were finite. By then MMEngine's own
    ``RuntimeInfoHook`` has waited for the device, so that this costs no further wait.

    Args:
        interval: Iterations between two publications in an iteration-based loop. Not given: as many as the
            training loader has batches.
        pipeline: Transforms for mode ``'epoch'``, which load an image and do not augment it. Not given: those of
            the validation set.

    Raises:
        ConfigError: Before training, if the head has the DR loss and ``ClassCountsHook`` is missing, or mode
            ``'epoch'`` finds no pipeline.
        DivergenceError: In training, if a feature is not finite; no checkpoint has been written since.
    """

    priority = 'BELOW_NORMAL'  # after SyncBuffersHook, whose batch statistics a pass needs

    def __init__(self, interval: int | None = None, pipeline: list[dict[str, Any]] | None = None):
        self.interval = interval
        self.pipeline = pipeline
        self._clean_loader: DataLoader | None = None

    def before_train(self, runner: Runner) -> None:
        """Check that the other hook of the head is there, and that a pass over the training set can be made."""
        check_companions(runner)
        if any(centroids.mode == 'epoch' for centroids in _centroids(runner.model)):
            self._clean_loader = clean_loader(runner, self.pipeline)

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the sums afresh, and have centroids to begin with in mode ``'epoch'``.

        A resumed run may bring sums along. An epoch loop does the interrupted epoch again, from its start; an
        iteration loop goes on, but the checkpoint holds the sums of the first process only.
        """
        is_counting_iterations = isinstance(runner.train_loop, IterBasedTrainLoop)
        for centroids in _centroids(runner.model):
            if centroids.mode == 'epoch' or not is_counting_iterations or get_rank() > 0:
                centroids.discard()
        if self._clean_loader is not None and not all(c.is_seen.any() for c in _centroids(runner.model)):
            self._publish(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Publish at the end of the epoch."""
        self._publish(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Look for divergence; publish every ``interval`` iterations of a loop without epochs."""
        head = find_head(runner.model)
        if head is not None:
            head.check_divergence()
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            interval = self.interval or len(runner.train_dataloader)
            if self.every_n_train_iters(runner, interval):
                self._publish(runner)

    def _publish(self, runner: Runner) -> None:
        head = find_head(runner.model)
        if self._clean_loader is not None and head is not None:
            visit_features(runner.model, self._clean_loader, head.collect)
            head.check_divergence()
        for centroids in _centroids(runner.model):
            centroids.publish()
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                for averaged, centroids in zip(_centroids(hook.ema_model), _centroids(runner.model), strict=True):
                    averaged.load_state_dict(centroids.state_dict())


def _centroids(model: nn.Module) -> list[ClassCentroids]:
    return [module for module in model.modules() if isinstance(module, ClassCentroids)]
