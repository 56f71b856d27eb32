"""The augmentations of a batch, one after the other."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmdrl.functional.augment import Canvas

from .registry import build_step


class BatchAugmentation:
    """Augments whole batches on their device, each image by random numbers of its own.

    What becomes of an image depends on the image, its seed, the steps and their order, on nothing else: neither on the
    other images of the batch nor on the device, with one exception that :class:`BatchErasing` names.

    Args:
        steps: Dicts such as ``dict(type='mmdrl.BatchCrop', size=32, padding=4)``, or objects that are called with a
            :class:`~mmdrl.functional.augment.Canvas`, the seeds as an array and the number of the step.

    Raises:
        ConfigError: If a step is unknown or a setting out of range.
    """

    def __init__(self, steps: Sequence[dict[str, Any]]):
        self.steps = [build_step(step) for step in steps]

    def __call__(self, images: Tensor, seeds: Tensor) -> Tensor:
        """Augmented images, uint8, shape ``(B, h, w, C)``, on the device of the images.

        They are a view of memory that lies by channel: ``permute(0, 3, 1, 2)`` makes them contiguous.

        Args:
            images: uint8, shape ``(B, H, W, C)``; they stay as they are.
            seeds: One for each image, shape ``(B,)``, int64, on the CPU.

        Raises:
            ValueError: If shapes or types are others.
        """
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(f'Expected uint8 images (B, H, W, C), got {images.dtype} {tuple(images.shape)}.')
        if seeds.dtype != torch.int64 or seeds.shape != images.shape[:1] or seeds.device.type != 'cpu':
            raise ValueError(
                f'Expected a seed for each of {len(images)} images, int64, on the CPU, got {seeds.dtype} '
                f'{tuple(seeds.shape)} on {seeds.device}.'
            )
        if not self.steps or not len(images):
            return images
        canvas = Canvas(images)
        for stream, step in enumerate(self.steps):
            step(canvas, seeds.numpy(), stream)
        return canvas.planes().permute(0, 2, 3, 1)
