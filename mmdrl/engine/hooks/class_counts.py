"""Tells head and metrics how many training images each class has."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdrl.datasets.labels import check_labels, dataset_labels
from mmdrl.datasets.same_images import distinct_images
from mmdrl.datasets.wrappers import metainfo_of, whole_dataset
from mmdrl.engine.model_parts import find_head
from mmdrl.errors import ConfigError
from mmdrl.evaluation import GroupedMetric, ShotAccuracy
from mmdrl.models import DRHead
from mmdrl.models.class_counts import KeepsClassCounts
from mmdrl.registry import HOOKS

from .companions import check_companions


@HOOKS.register_module()
class ClassCountsHook(Hook):
    """Counts the training images of each class once and hands the counts on.

    An image that a wrapper repeats (RepeatDataset, ClassBalancedDataset, ConcatDataset) counts once.

    Before training, and when a stage has put something new into the model, they go into every module that keeps class
    counts (``mmdrl.DRHead``, losses such as ``mmdrl.LDAMLoss``) and was not given its own; and into the checkpoint.
    Before validation and test they go to every metric of shot groups (``mmdrl.ShotAccuracy``, ``ClassAccuracy``,
    ``Calibration``) that has none of its own; one without edges of its own groups as the first ``ShotAccuracy`` does.

    Attributes:
        class_counts: Training images per class, shape ``(K,)``, long; ``None`` before they are known.

    Raises:
        DataError: If a training label lies outside ``[0, num_classes)``.
        ConfigError: If a class has no training image, or data set and model disagree on the number of classes.
    """

    priority = 'HIGH'

    def __init__(self) -> None:
        self.class_counts: torch.Tensor | None = None
        self._is_told = False

    def before_train(self, runner: Runner) -> None:
        """Count the training set into the model."""
        check_companions(runner)
        dataset = whole_dataset(runner.train_dataloader.dataset)
        labels = torch.as_tensor(dataset_labels(dataset)[distinct_images(dataset)])
        counted = [module for module in runner.model.modules() if isinstance(module, KeepsClassCounts)]
        num_classes = _common_size(counted, metainfo_of(dataset).get('classes')) or int(labels.max()) + 1
        check_labels(labels.numpy(), num_classes)
        self.class_counts = torch.bincount(labels, minlength=num_classes)
        empty = (self.class_counts == 0).nonzero().flatten().tolist()
        if empty:
            shown = ', '.join(map(str, empty[:5])) + (', ...' if len(empty) > 5 else '')
            raise ConfigError(
                f'Every class needs a training image, got none for {len(empty)} of {num_classes} (class {shown}). '
                'Mend the data list, or set num_classes of the head to the classes it has.'
            )
        self._tell(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """A stage that begins may put another loss or head into the model."""
        self._is_told = False

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Tell what is new in the model; later hooks have changed it before the epoch's first step."""
        if not self._is_told:
            self._tell(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the counts in the checkpoint, for heads that do not."""
        if self.class_counts is not None:
            checkpoint['class_counts'] = self.class_counts.tolist()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take them from there."""
        if 'class_counts' in checkpoint:
            self.class_counts = torch.tensor(checkpoint['class_counts'])

    def before_val(self, runner: Runner) -> None:
        """Hand the counts to the validation metrics."""
        self._inform(runner, runner.val_evaluator)

    def before_test(self, runner: Runner) -> None:
        """Hand the counts to the test metrics."""
        self._inform(runner, runner.test_evaluator)

    def _tell(self, runner: Runner) -> None:
        self._is_told = True
        for module in runner.model.modules():
            is_open = isinstance(module, KeepsClassCounts) and not module.has_own_class_counts
            if is_open and self.class_counts is not None:
                module.set_class_counts(self.class_counts)

    def _inform(self, runner: Runner, evaluator: Evaluator) -> None:
        metrics = [metric for metric in evaluator.metrics if isinstance(metric, GroupedMetric)]
        for shot in [metric for metric in metrics if isinstance(metric, ShotAccuracy)][:1]:
            for metric in metrics:
                metric.group_like(dict(many=shot.many, few=shot.few, edges=shot.edges))
        head = find_head(runner.model)
        counts = self.class_counts if head is None else head.class_counts.cpu()
        if counts is None or not counts.any():
            return
        for metric in metrics:
            if metric.class_counts is None:
                metric.class_counts = counts.numpy()


def _common_size(counted: list[KeepsClassCounts], names: Sequence[str] | None) -> int | None:
    """K of all modules that keep counts, ``None`` if there are none; the data set, if it names classes, must agree."""
    sizes = {
        'model.head' if isinstance(module, DRHead) else type(module).__name__: len(module.class_counts)
        for module in counted
    }
    for owner, size in sizes.items():
        if names is not None and len(names) != size:
            raise ConfigError(
                f'{owner}.num_classes is {size}, but the training set has {len(names)} classes. Set '
                f'{owner}.num_classes={len(names)}.'
            )
    if len(set(sizes.values())) > 1:
        said = ', '.join(f'{owner}.num_classes={size}' for owner, size in sizes.items())
        raise ConfigError(f'All parts of the model must have the same number of classes, got {said}.')
    return next(iter(sizes.values()), None)
