"""Batches as tensors: one of images, and :class:`~mmdrl.batch_samples.BatchSamples` for all that is known of them."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmpretrain.structures import DataSample
from torch import Tensor

from mmdrl.batch_samples import BatchSamples
from mmdrl.errors import DataError
from mmdrl.registry import FUNCTIONS

from .image_batch import ImageBatch

_HELD = {'gt_label', 'gt_score', 'sample_idx', 'num_classes'}  # by BatchSamples, num_classes with the scores


@FUNCTIONS.register_module()
def collate_images(batch: Sequence[Any], _scope_: str = '') -> dict[str, Any]:
    """A batch as two entries: ``inputs``, shape ``(B, C, H, W)``, and ``data_samples``.

    Images of different sizes stay a list, as do samples with several labels or none: the data preprocessor pads the
    ones, a head of MMPretrain takes the others.

    Args:
        batch: What the data set gives: whole, or a list of ordinary samples.
        _scope_: Comes with a config that is inherited through ``mmdrl::``, and does nothing.

    Raises:
        DataError: If the samples are not what PackInputs gives.
    """
    if isinstance(batch, ImageBatch):
        return batch.tensors()
    if not batch or not all(isinstance(sample, dict) and {'inputs', 'data_samples'} <= set(sample) for sample in batch):
        got = type(batch[0]).__name__ if batch else 'nothing'
        got = ', '.join(map(str, batch[0])) if batch and isinstance(batch[0], dict) else got
        raise DataError(
            f'collate_images needs inputs and data_samples of every image, as PackInputs gives them, got {got:.80}. '
            'End the pipeline with PackInputs, or take another collate_fn.'
        )
    collated: dict[str, Any] = pseudo_collate(batch)
    inputs, samples = collated['inputs'], collated['data_samples']
    if all(isinstance(image, Tensor) and image.shape == inputs[0].shape for image in inputs):
        collated['inputs'] = torch.stack(list(inputs))
    if all(type(sample) is DataSample for sample in samples):
        collated['data_samples'] = _as_tensors(samples) or samples
    return collated


def _as_tensors(samples: Sequence[DataSample]) -> BatchSamples | None:
    """The samples as tensors; None if they do not have one label, or scores, each."""
    labels = _field(samples, 'gt_label')
    scores = _field(samples, 'gt_score')
    has_one = labels is not None and all(len(label) == 1 for label in labels)
    if (labels is not None and not has_one) or (labels is None and scores is None):
        return None
    numbers = [sample.get('sample_idx') for sample in samples]
    return BatchSamples(
        None if labels is None else torch.cat(labels),
        torch.tensor(numbers) if all(isinstance(number, Integral) for number in numbers) else None,
        scores=None if scores is None else torch.stack(scores),
        samples=None if all(_HELD.issuperset(sample.all_keys()) for sample in samples) else samples,
    )


def _field(samples: Sequence[DataSample], name: str) -> list[Tensor] | None:
    """A field of all samples; None unless each has it."""
    return [sample.get(name) for sample in samples] if all(name in sample for sample in samples) else None
