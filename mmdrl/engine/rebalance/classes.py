"""What rebalancing needs to know of the classes: training images, shot groups, centroids."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from mmdrl.datasets.labels import check_labels, dataset_labels
from mmdrl.datasets.same_images import distinct_images
from mmdrl.engine.clean_set import loader_like
from mmdrl.engine.features import visit_features
from mmdrl.engine.model_parts import find_head
from mmdrl.engine.preflight import check_data_paths
from mmdrl.errors import ConfigError, DataError
from mmdrl.models.class_moments import ClassMoments
from mmdrl.registry import DATASETS


def class_counts(model: Any, content: Mapping[str, Any], cfg: Config, num_classes: int) -> Tensor:
    """Training images per class, shape ``(K,)``, long: as the head, the checkpoint or the training set tells.

    Those that a loss was given as an argument may be others, and are not asked.

    Args:
        model: With the weights of the checkpoint.
        content: Of the checkpoint.
        cfg: Names the training set.
        num_classes: K.

    Raises:
        MMDRLError: If nothing tells, or a class has no image.
    """
    head = find_head(model)
    counts = None if head is None or not head.class_counts.any() else head.class_counts.cpu()
    if counts is None and content.get('class_counts') is not None:
        counts = torch.as_tensor(content['class_counts'])
    if counts is None:
        dataset = training_set(cfg)
        labels = dataset_labels(dataset)[distinct_images(dataset)]
        check_labels(labels, num_classes)
        counts = torch.bincount(torch.as_tensor(labels), minlength=num_classes)
    if counts.shape != (num_classes,) or not bool((counts >= 1).all()):
        raise DataError(
            f'Expected training images of {num_classes} classes, each at least 1, got {counts.tolist()}. Does '
            'num_classes of the head match the data set?'
        )
    return counts


def class_centroids(
    model: Any, cfg: Config, held_out: Any, num_classes: int, show: Callable[[Iterable, str], Iterable]
) -> tuple[Tensor, str]:
    """Centroids of the features that the last layer sees, and where they are from.

    Args:
        model: With its weights.
        cfg: Names the training set.
        held_out: Loader of the validation set; training images are loaded and put into batches likewise.
        num_classes: K.
        show: Draws progress: called with batches and a title, gives the batches.

    Returns:
        Shape ``(K, D)``, and ``'checkpoint'``, or ``'training set'`` if the head keeps none or not of every class:
        then one pass over it, every image once, without augmentation.

    Raises:
        MMDRLError: If there is no training set, or it has no image of a class.
    """
    head = find_head(model)
    if head is not None and bool(head.centroids.is_seen.all()):
        return head.centroids.centroids, 'checkpoint'
    dataset = training_set(cfg)
    check_labels(dataset_labels(dataset), num_classes)
    loader = loader_like(held_out, dataset)
    moments: list[ClassMoments] = []

    def add(feats: tuple[Tensor, ...], labels: Tensor) -> None:
        features = model.head.pre_logits(feats).float()
        if not moments:
            moments.append(ClassMoments(num_classes, features.shape[1]).to(features.device))
        moments[0].add(features, labels)

    visit_features(model, show(loader, 'training images'), add)
    empty = (moments[0].counts == 0).nonzero().flatten().tolist()
    if empty:
        raise DataError(f'The training set has no image of class {empty[0]} ({len(empty)} of {num_classes} lack one).')
    return moments[0].mean, 'training set'


def training_set(cfg: Config) -> Any:
    """The training set of a config.

    Raises:
        MMDRLError: If it has none, or that cannot be read.
    """
    if not isinstance(cfg.get('train_dataloader'), dict):
        raise ConfigError('The config has no train_dataloader.')
    check_data_paths(cfg, ('train_dataloader',))
    return DATASETS.build(cfg.train_dataloader.dataset)
