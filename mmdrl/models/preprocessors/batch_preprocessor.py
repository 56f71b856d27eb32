"""Whole batches augmented, normalised and mixed where the model is.

Transforms of a pipeline change one image after the other, on the processors that load it; with small images the calls
take most of the time. Here a batch goes to the device as pixels, and every step is done to all its images.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmpretrain.models.utils import ClsDataPreprocessor
from torch import Tensor, nn

from mmdrl.batch_samples import BatchSamples
from mmdrl.errors import ConfigError
from mmdrl.functional import normalized_images
from mmdrl.registry import MODELS

from .augments import BatchAugmentation


@MODELS.register_module()
class BatchDataPreprocessor(ClsDataPreprocessor):
    """MMPretrain's preprocessor, which augments whole batches in training before it normalises them.

    It takes the batches of ``mmdrl.collate_images`` and does nothing to one sample at a time; ordinary batches of
    MMEngine's ``pseudo_collate`` and ``default_collate`` come out as from ``ClsDataPreprocessor``, augmented.
    Random numbers of an image follow from its seed, which the loops of mmdrl give to whole batches; without one, as for
    images that come one by one, it is drawn from NumPy's global generator, another on every process.

    Args:
        augments: Steps done to each image in training, in this order, such as ``[dict(type='mmdrl.BatchCrop', size=32,
            padding=4), dict(type='mmdrl.BatchFlip', prob=0.5)]``; none if not given. Images must be uint8 and, within
            a batch, of one size.
        channels_last: Give images with their channels side by side in memory, for networks converted likewise.
        **kwargs: As in MMPretrain's ``ClsDataPreprocessor``: ``mean``, ``std``, ``to_rgb``, ``to_onehot``,
            ``num_classes``, ``batch_augments`` (mixup, cutmix), ``pad_size_divisor``, ``pad_value``.

    Attributes:
        augments: The steps as one :class:`BatchAugmentation`, or ``None``. A stage may put others in their place.

    Raises:
        ConfigError: If a step does not exist or does not take its settings; in training, if images cannot be augmented
            as a batch.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, augments: Sequence[Any] | None = None, channels_last: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self._non_blocking = True  # nothing happens to a batch on the host once it is here
        self.channels_last = channels_last
        self.augments = BatchAugmentation(augments) if augments else None

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Batch for the model: ``inputs`` float32 of shape ``(B, C, H, W)``, and ``data_samples`` of the kind given."""
        images, samples = _stacked(data['inputs']), data.get('data_samples')
        if training and self.augments is not None:
            seeds = samples.seeds if isinstance(samples, BatchSamples) else None
            images = augmented(self.cast_data(images), self.augments, seeds)
        if isinstance(samples, BatchSamples) and isinstance(images, Tensor):
            images = self._normalized(self.cast_data(images))
            images, samples = self._mixed(images, samples.to(self.device, non_blocking=self._non_blocking), training)
            return dict(inputs=images, data_samples=samples)
        if isinstance(images, Tensor):
            images = images.contiguous()  # what MMPretrain makes of it has its order in memory
        batch: dict[str, Any] = super().forward({**data, 'inputs': images}, training)
        if self.channels_last:
            batch['inputs'] = batch['inputs'].contiguous(memory_format=torch.channels_last)
        return batch

    def _normalized(self, images: Tensor) -> Tensor:
        statistics = (self.mean, self.std) if self._enable_normalize else (None, None)
        images = normalized_images(images, *statistics, swap_channels=self.to_rgb, channels_last=self.channels_last)
        missing = [math.ceil(size / self.pad_size_divisor) * self.pad_size_divisor - size for size in images.shape[2:]]
        if not any(missing):
            return images
        return nn.functional.pad(images, (0, missing[1], 0, missing[0]), value=self.pad_value)

    def _mixed(self, images: Tensor, samples: BatchSamples, training: bool) -> tuple[Tensor, BatchSamples]:
        """Images and labels with scores, if those are asked for, and mixed in training."""
        scores = samples.scores
        if scores is None and self.to_onehot and samples.labels is not None:
            if self.num_classes is None:
                raise ConfigError(
                    'Labels as scores (to_onehot, batch_augments) need the number of classes. Give '
                    'data_preprocessor=dict(num_classes=...).'
                )
            scores = nn.functional.one_hot(samples.labels, self.num_classes)
        if scores is None:
            return images, samples
        if training and self.batch_augments is not None:
            images, scores = self.batch_augments(images, scores)
        return images, samples.replaced(scores=scores)


@torch.compiler.disable  # random numbers of each image come from NumPy: nothing that a graph is made of
def augmented(images: Any, augments: BatchAugmentation, seeds: Tensor | None = None) -> Tensor:
    """Images that an augmentation has changed, ``(B, C, h, w)``, uint8.

    Args:
        images: Likewise, ``(B, C, H, W)``.
        augments: The augmentation.
        seeds: Of each image, ``(B,)``, int64, on the CPU; drawn from NumPy's global generator if not given.

    Raises:
        ConfigError: If these are no such images.
    """
    if not isinstance(images, Tensor) or images.dtype != torch.uint8 or images.ndim != 4:
        raise ConfigError(
            f'data_preprocessor.augments are done to batches of uint8 images of one size, got {_in_words(images)}. Let '
            'the pipeline of the training set crop or resize to one size and hand pixels over as they are; or augment '
            'there, with augments=None here.'
        )
    if seeds is None:
        # For all processes, as loops may seed their generators alike; each takes its row.
        rank, world_size = get_dist_info()
        seeds = torch.from_numpy(np.random.randint(-(2**63), 2**63, (world_size, len(images)), np.int64)[rank])
    return augments(images.permute(0, 2, 3, 1), seeds).permute(0, 3, 1, 2)


def _stacked(images: Any) -> Any:
    """One tensor of a list of tensors of one size and dtype; anything else as it is."""
    if not isinstance(images, (list, tuple)) or not all(isinstance(image, Tensor) for image in images):
        return images
    is_alike = len({(image.shape, image.dtype, image.device) for image in images}) == 1
    return torch.stack(list(images)) if is_alike else images


def _in_words(images: Any) -> str:
    if isinstance(images, Tensor):
        return f'{images.dtype} of shape {tuple(images.shape)}'.removeprefix('torch.')
    shapes = sorted({str(tuple(getattr(image, 'shape', ()))) for image in images})
    return f'images of sizes {", ".join(shapes[:3])}{" and others" * (len(shapes) > 3)}'
