"""Tells head and metrics how many training images each class has."""

from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdrl.datasets.labels import check_labels, dataset_labels, distinct_images, whole_dataset
from mmdrl.datasets.wrappers import metainfo_of
from mmdrl.engine.model_parts import find_head
from mmdrl.errors import ConfigError
from mmdrl.evaluation import ShotAccuracy
from mmdrl.registry import HOOKS

from .companions import check_companions


@HOOKS.register_module()
class ClassCountsHook(Hook):
    """Counts the training images of each class once and hands the counts on.

    An image that a wrapper repeats (RepeatDataset, ClassBalancedDataset, ConcatDataset) counts once.

    Before training they go into the buffer ``class_counts`` of ``mmdrl.DRHead``, if there is one, and into the
    checkpoint; before validation and test to every ``mmdrl.ShotAccuracy`` that has none of its own.

    Raises:
        DataError: If a training label lies outside ``[0, num_classes)``.
        ConfigError: If a class has no training image, or data set and head disagree on the number of classes.
    """

    priority = 'HIGH'

    def __init__(self) -> None:
        self._counts: torch.Tensor | None = None

    def before_train(self, runner: Runner) -> None:
        """Count the training set into the head."""
        check_companions(runner)
        dataset = whole_dataset(runner.train_dataloader.dataset)
        labels = torch.as_tensor(dataset_labels(dataset)[distinct_images(dataset)])
        head = find_head(runner.model)
        num_classes = head.num_classes if head is not None else int(labels.max()) + 1
        names = metainfo_of(dataset).get('classes')
        if head is not None and names is not None and len(names) != num_classes:
            raise ConfigError(
                f'model.head.num_classes is {num_classes}, but the training set has {len(names)} classes. Set '
                f'model.head.num_classes={len(names)}.'
            )
        check_labels(labels.numpy(), num_classes)
        self._counts = torch.bincount(labels, minlength=num_classes)
        empty = (self._counts == 0).nonzero().flatten().tolist()
        if empty:
            shown = ', '.join(map(str, empty[:5])) + (', ...' if len(empty) > 5 else '')
            raise ConfigError(
                f'Every class needs a training image, got none for {len(empty)} of {num_classes} (class {shown}). '
                'Mend the data list, or set num_classes of the head to the classes it has.'
            )
        if head is not None:
            head.set_class_counts(self._counts)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the counts in the checkpoint, for heads that do not."""
        if self._counts is not None:
            checkpoint['class_counts'] = self._counts.tolist()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take them from there."""
        if 'class_counts' in checkpoint:
            self._counts = torch.tensor(checkpoint['class_counts'])

    def before_val(self, runner: Runner) -> None:
        """Hand the counts to the validation metrics."""
        self._inform(runner, runner.val_evaluator)

    def before_test(self, runner: Runner) -> None:
        """Hand the counts to the test metrics."""
        self._inform(runner, runner.test_evaluator)

    def _inform(self, runner: Runner, evaluator: Evaluator) -> None:
        head = find_head(runner.model)
        counts = self._counts if head is None else head.class_counts.cpu()
        if counts is None or not counts.any():
            return
        for metric in evaluator.metrics:
            if isinstance(metric, ShotAccuracy) and metric.class_counts is None:
                metric.class_counts = counts.numpy()
