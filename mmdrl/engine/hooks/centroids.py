"""Brings the class centroids of the head up to date, and stops a run that has diverged."""

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmdrl.engine.clean_set import clean_loader
from mmdrl.engine.features import visit_features
from mmdrl.engine.finite import check_finite
from mmdrl.engine.model_parts import find_head, unwrap
from mmdrl.engine.processes import batches_per_pass, check_buffers_left_alone, check_equal_shares
from mmdrl.errors import ConfigError
from mmdrl.models import ClassCentroids
from mmdrl.registry import HOOKS
from mmdrl.visualization.bars import with_bar

from .companions import check_companions
from .non_finite import NonFiniteHook


@HOOKS.register_module()
class CentroidHook(Hook):
    """Publishes centroids after every training epoch, before validation and checkpoint.

    For mode ``'running'`` those that the epoch has summed up. For mode ``'epoch'`` those of an exact pass over the
    training set with the weights as they are: in eval mode, in float32, without augmentation, every image once
    whatever repeats or resamples the training set; another such pass precedes the first epoch unless the run resumes
    with centroids, and follows a reset of them. In mode ``'ema'`` all processes take those of the first. A loop that
    counts iterations has no epochs; there it happens every ``interval``, and what the last interval leaves over is
    published only if nothing has been yet. The averaged model of an ``EMAHook`` gets the same centroids: those of the
    model that trains.

    In a run without ``NonFiniteHook`` it also reads after every iteration whether the features were finite, and looks
    at the weights at the end of an epoch and before every checkpoint.

    Args:
        interval: Iterations between two publications in an iteration-based loop. Not given: as many as all processes
            need to see the training set once.
        pipeline: Transforms for mode ``'epoch'``, which load an image and do not augment it. Not given: those of
            the validation set.

    Raises:
        ConfigError: Before training, if the head has the DR loss and ``ClassCountsHook`` is missing, mode ``'epoch'``
            finds no pipeline or no ``DRHead``, or a wrapper overwrites the buffers that mode ``'running'`` needs;
            before an epoch, if processes would gather batches of different sizes.
        DivergenceError: In training, if a feature, a weight or a buffer is not finite; no checkpoint holds it.
    """

    priority = 'BELOW_NORMAL'  # after SyncBuffersHook, whose batch statistics a pass needs, and EMAHook

    def __init__(self, interval: int | None = None, pipeline: list[dict[str, Any]] | None = None):
        self.interval = interval
        self.pipeline = pipeline
        self._clean_loader: DataLoader | None = None
        self._has_published = False
        self._put_aside: list[tuple[Tensor, Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        """Check that the run can keep centroids as their mode wants it."""
        check_companions(runner)
        modes = {centroids.mode for centroids in _centroids(runner.model)}
        if 'running' in modes:
            check_buffers_left_alone(runner.model)
        if 'epoch' in modes:
            if find_head(runner.model) is None:
                raise ConfigError(
                    "Centroids of mode 'epoch' are filled by a pass that collects features through mmdrl.DRHead, and "
                    "this model's head is another. Take mode 'running' or 'ema', or derive the head from DRHead."
                )
            self._clean_loader = clean_loader(runner, self.pipeline)
        # Centroids that load_from has brought are of other weights, those of a resumed run are its own.
        self._has_published = runner._resume and _are_seen(runner.model)

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the sums afresh, and have centroids to begin with in mode ``'epoch'``.

        A checkpoint may bring sums along, of all processes together. A loop that goes on inside an epoch or an interval
        goes on with them on the first process; the others begin with none.
        """
        goes_on = runner._resume and (_counts_iterations(runner) or getattr(runner.train_loop, 'first_batch', 0) > 0)
        goes_on &= get_rank() == 0
        for centroids in _centroids(runner.model):
            if centroids.mode == 'epoch' or not goes_on:
                centroids.discard()
        head = find_head(runner.model)
        if (head is not None and len(head.dr_layers)) or any(c.mode == 'ema' for c in _centroids(runner.model)):
            check_equal_shares(runner.train_dataloader)
        if self._clean_loader is not None and not (self._has_published and _are_seen(runner.model)):
            self._publish(runner)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Look for divergence; publish every ``interval`` iterations of a loop without epochs.

        Sums of an epoch are published here too, as ``SyncBuffersHook`` takes the mean of all buffers when it ends:
        that of sums is none of the samples behind them.
        """
        if not _is_guarded(runner) and (head := find_head(runner.model)) is not None:
            head.check_divergence()
        if not _counts_iterations(runner):
            if self._clean_loader is None and self.end_of_epoch(runner.train_dataloader, batch_idx):
                self._publish(runner)
            return
        is_due = self.every_n_train_iters(runner, self.interval or batches_per_pass(runner.train_dataloader))
        if is_due or (self.is_last_train_iter(runner) and not self._has_published):
            self._publish(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Publish at the end of the epoch, and look at the weights while the checkpoints before are still there."""
        if not (_counts_iterations(runner) and self._has_published):
            self._publish(runner)
        if not _is_guarded(runner):
            check_finite(unwrap(runner.model), across_processes=True)

    def before_val(self, runner: Runner) -> None:
        """Put sums aside before ``SyncBuffersHook`` meets them in the middle of an interval."""
        sums = [centroids.sums for centroids in _centroids(runner.model) if centroids.sums is not None]
        self._put_aside = [(buffer, buffer.clone()) for part in sums for buffer in part.buffers()]

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Take them up again."""
        for buffer, value in self._put_aside:
            buffer.copy_(value)
        self._put_aside = []

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Refuse to save what is not finite; on the first process alone, which saves."""
        if _is_guarded(runner):
            return
        model = unwrap(runner.model)
        check_finite(model)
        check_finite(model, checkpoint['state_dict'])  # an EMAHook has put its averages there

    def _publish(self, runner: Runner) -> None:
        head = find_head(runner.model)
        if self._clean_loader is not None and head is not None:
            visit_features(runner.model, with_bar(self._clean_loader, 'centroids'), head.collect)
            head.check_divergence()
        for centroids in _centroids(runner.model):
            centroids.publish()
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                for averaged, centroids in zip(_centroids(hook.ema_model), _centroids(runner.model), strict=True):
                    averaged.load_state_dict(centroids.state_dict())
        self._has_published = True


def _centroids(model: nn.Module) -> list[ClassCentroids]:
    return [module for module in model.modules() if isinstance(module, ClassCentroids)]


def _is_guarded(runner: Runner) -> bool:
    return any(isinstance(hook, NonFiniteHook) for hook in runner.hooks)


def _are_seen(model: nn.Module) -> bool:
    return all(bool(centroids.is_seen.any()) for centroids in _centroids(model))


def _counts_iterations(runner: Runner) -> bool:
    return isinstance(runner.train_loop, IterBasedTrainLoop)
