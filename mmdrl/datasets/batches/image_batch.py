"""A batch that is a few tensors, and a list of ordinary samples to any collate function that knows no better."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mmdrl.batch_samples import BatchSamples


class ImageBatch(Sequence[Any]):
    """Images of one size and what is known of each.

    As a sequence it holds what PackInputs gives for every image, made when the first is asked for.

    Args:
        take: Gives the images, shape ``(B, H, W, C)``, uint8; called once, when they are asked for.
        samples: Of the same images, in this order.
        inputs: What to hand over in place of the images, if that need not be them.
    """

    def __init__(self, take: Callable[[], Tensor], samples: BatchSamples, inputs: Any = None):
        self._take = take
        self.samples = samples
        self._inputs = inputs
        self._ordinary: list[dict[str, Any]] | None = None

    @cached_property
    def images(self) -> Tensor:
        """Shape ``(B, H, W, C)``, uint8."""
        return self._take()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Any) -> Any:
        """``inputs`` and ``data_samples`` of one image; a list of them for a slice."""
        if self._ordinary is None:
            self._ordinary = [
                # Memory of its own for each: a part of the batch would bring the whole of it along to another process.
                {'inputs': image.clone(memory_format=torch.contiguous_format), 'data_samples': sample}
                for image, sample in zip(self.images.permute(0, 3, 1, 2), self.samples, strict=True)
            ]
        return self._ordinary[index]

    def tensors(self) -> dict[str, Any]:
        """``inputs``, shape ``(B, C, H, W)``, with the channels of a pixel side by side, and ``data_samples``."""
        return {
            'inputs': as_inputs(self.images) if self._inputs is None else self._inputs,
            'data_samples': self.samples,
        }


def as_inputs(images: Tensor) -> Tensor:
    """Images (B, H, W, C) as ``(B, C, H, W)``, which share their memory."""
    # Of one channel both orders are the same in memory, but by its strides torch chooses how to compute.
    is_grey = images.shape[3] == 1
    return images.reshape(-1, 1, *images.shape[1:3]) if is_grey else images.permute(0, 3, 1, 2)
