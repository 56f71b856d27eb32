"""What a stage does for the first time after hours, tried once before training: an image, the loss, the schedule."""

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.models.heads import ClsHead
from torch import Tensor, nn

from mmdrl.engine.dataset_copies import build_pipeline, copied, is_innermost
from mmdrl.engine.unread import UnreadDataset
from mmdrl.errors import ConfigError, MMDRLError
from mmdrl.models import BatchDataPreprocessor, RemixDataPreprocessor
from mmdrl.models.class_counts import KeepsClassCounts
from mmdrl.models.preprocessors.batch_preprocessor import augmented

from .stage import Stage

_KNOWN = (ClsDataPreprocessor.forward, BatchDataPreprocessor.forward, RemixDataPreprocessor.forward)
_STEPS = 3  # of a schedule: the first sets the rates, the second moves them


def try_images(stage: Stage, dataset: Any, preprocessor: Any, augments: Any = None) -> None:
    """Let the transforms of a stage, built for this alone, make one image, and its augmentation change that.

    Args:
        stage: With a pipeline or augments of its own, or nothing is done.
        dataset: As the stage shows it; nothing is done if it has not been read.
        preprocessor: That of the model, which takes what the transforms pack.
        augments: What it does to whole batches in this stage; ``None``: nothing.

    Raises:
        ConfigError: If they fail, or do not make what the model takes.
    """
    if (stage.pipeline is None and stage.augments is None) or _is_unread(dataset):
        return
    if stage.pipeline is not None:
        pipeline = build_pipeline(stage.pipeline, f'Stage {stage.name!r}')  # what it keeps of an image is gone with it
        dataset = copied(dataset, lambda part: setattr(part, 'pipeline', pipeline) if is_innermost(part) else None)
    with _as_mistake(f'Stage {stage.name!r}: its pipeline fails on the first image'), _same_randomness():
        sample = dataset[0]
    if getattr(type(preprocessor), 'forward', None) not in _KNOWN:
        return  # which may want something else
    if not isinstance(sample, dict) or not {'inputs', 'data_samples'} <= set(sample):
        got = ', '.join(map(str, sample)) if isinstance(sample, dict) else type(sample).__name__
        raise ConfigError(
            f'Stage {stage.name!r}: its pipeline must end with PackInputs, which gives inputs and data_samples, got '
            f'{got[:80] or "nothing"}. Add it at the end.'
        )
    if augments is not None:
        with _as_mistake(f'Stage {stage.name!r}: its augments fail on the first image'), _same_randomness():
            augmented(sample['inputs'][None], augments)


def try_loss(stage: Stage, head: Any, loss: Any, is_scored: bool, dataset: Any) -> None:
    """Let the classification loss of a stage judge two images.

    Args:
        stage: The stage.
        head: Of the model; nothing is done if it asks its loss in another way than ``ClsHead``.
        loss: Of the stage, or the head's own; those that go by the class counts check themselves.
        is_scored: Whether the preprocessor or a mixing data set gives labels as scores.
        dataset: As the stage shows it; it may have scores of its own, which is asked only if labels fail.

    Raises:
        ConfigError: If it fails, or gives no number.
    """
    num_classes = getattr(head, 'num_classes', None)
    is_usual = getattr(type(head), '_get_loss', None) is ClsHead._get_loss and isinstance(loss, nn.Module)
    if not is_usual or not num_classes or isinstance(loss, KeepsClassCounts):
        return
    tensors = [*loss.parameters(), *loss.buffers(), *head.parameters()]
    labels = torch.arange(2, device=tensors[0].device if tensors else 'cpu') % num_classes
    scores = nn.functional.one_hot(labels, num_classes).float()

    def judged(target: Tensor) -> Any:
        return deepcopy(loss)(torch.zeros_like(scores), target, avg_factor=2)

    kind = type(loss).__name__
    what = f'Stage {stage.name!r}: {kind} fails on {"mixed labels" if is_scored else "labels"} of {num_classes} classes'
    with _as_mistake(what), torch.no_grad(), _same_randomness():
        try:
            value = judged(scores if is_scored else labels)
        except Exception:
            if is_scored or not _may_have_scores(dataset):
                raise
            value = judged(scores)
    if not isinstance(value, Tensor) or value.numel() != 1:
        raise ConfigError(
            f'Stage {stage.name!r}: {kind} must give one number, got {value!r:.80}. Give it another loss.'
        )


def try_schedules(stage: Stage, schedules: Any, epoch_length: int) -> None:
    """Take the first steps of schedules, as far as the stage has them.

    Args:
        stage: The stage.
        schedules: Built for it alone.
        epoch_length: Iterations in one of its epochs.

    Raises:
        ConfigError: If they fail.
    """
    for schedule in schedules if isinstance(schedules, list) else []:
        if getattr(schedule, 'need_val_args', False):  # steps by a metric
            continue
        kind = type(schedule).__name__
        with _as_mistake(f'Stage {stage.name!r}: {kind} fails on its first steps'), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of steps without their optimiser
            for _ in range(min(_STEPS, stage.epochs * (1 if schedule.by_epoch else epoch_length))):
                schedule.step()


@contextmanager
def _same_randomness() -> Iterator[None]:
    """Random numbers go on afterwards as if none had been drawn."""
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextmanager
def _as_mistake(what: str) -> Iterator[None]:
    """A sentence in place of what a foreign part raises; our own exceptions are sentences already."""
    try:
        yield
    except (MMDRLError, FileNotFoundError):  # the one a sentence, the other made one of where training begins
        raise
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise ConfigError(
            f'{what}: {type(error).__name__}{": " * bool(reason)}{reason[:300]}. Mend its settings.'
        ) from error


def _may_have_scores(dataset: Any) -> bool:
    return _is_unread(dataset) or 'gt_score' in dataset[0]['data_samples']


def _is_unread(dataset: Any) -> bool:
    inner = getattr(dataset, 'dataset', None)
    return isinstance(dataset, UnreadDataset) or (inner is not None and _is_unread(inner))
