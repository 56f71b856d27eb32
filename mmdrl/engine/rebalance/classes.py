"""What rebalancing needs to know of the classes: training images, shot groups, centroids."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor
from torch.utils.data import DataLoader

from mmdrl.datasets.labels import check_labels, dataset_labels
from mmdrl.datasets.same_images import distinct_images
from mmdrl.engine.clean_set import pipeline_of, with_pipeline
from mmdrl.engine.features import visit_features
from mmdrl.engine.model_parts import find_head
from mmdrl.engine.preflight import check_data_paths
from mmdrl.errors import ConfigError, DataError
from mmdrl.evaluation import ShotAccuracy
from mmdrl.models.class_moments import ClassMoments
from mmdrl.registry import DATASETS, METRICS


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


def shot_settings(cfg: Config) -> tuple[dict[str, Any], Any]:
    """How the config's ``ShotAccuracy`` groups the classes, and its own class counts if it has them.

    Returns:
        ``many``, ``few`` and ``edges``, those of ``ShotAccuracy`` by default; and counts, shape ``(K,)``, or ``None``.

    Raises:
        ConfigError: If its arguments do not fit.
    """
    evaluators = [cfg.get(name) or [] for name in ('val_evaluator', 'test_evaluator')]
    entries = [entry for part in evaluators for entry in (part if isinstance(part, (list, tuple)) else [part])]
    shots = [entry for entry in entries if _is_shot_accuracy(entry.get('type'))]
    linear = [entry for entry in shots if entry.get('classifier', 'linear') == 'linear']
    metric = METRICS.build(dict([*linear, *shots, dict(type='mmdrl.ShotAccuracy')][0]))
    assert isinstance(metric, ShotAccuracy)
    return dict(many=metric.many, few=metric.few, edges=metric.edges), metric.class_counts


def _is_shot_accuracy(kind: Any) -> bool:
    return kind is ShotAccuracy or str(kind).rpartition('.')[2] == 'ShotAccuracy'


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
    pipeline = pipeline_of(held_out.dataset)
    if pipeline is None:
        raise ConfigError('The validation set has no pipeline that could load training images.')
    loader = DataLoader(
        with_pipeline(dataset, pipeline),
        batch_size=held_out.batch_size or held_out.batch_sampler.batch_size,
        num_workers=held_out.num_workers,
        collate_fn=held_out.collate_fn,
        pin_memory=held_out.pin_memory,
        worker_init_fn=held_out.worker_init_fn,
    )
    moments: list[ClassMoments] = []

    def add(feats: tuple[Tensor, ...], labels: Tensor) -> None:
        features = model.head.pre_logits(feats).float()
        if not moments:
            moments.append(ClassMoments(num_classes, features.shape[1]).to(features.device))
        moments[0].add(features, labels)

    visit_features(model, show(loader, 'Training images'), add)
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
