"""AutoAugment with its published policies."""

import numpy as np
from numpy.typing import NDArray
from torchvision.transforms import AutoAugment, AutoAugmentPolicy

from mmdrl.functional.augment import (
    Canvas,
    ChannelOrder,
    Operation,
    image_uniforms,
    operate,
    operation,
    uniform_integers,
)

from .arguments import check_channels, check_choice, check_whole
from .catalogues import Catalogues
from .registry import BATCH_TRANSFORMS

_STEPS = 10  # of the scale of magnitudes


@BATCH_TRANSFORMS.register_module()
class BatchAutoAugment:
    """Each image changed by one randomly chosen pair of operations out of a published policy.

    To the pixel what :class:`mmdrl.datasets.AutoAugmentPolicy`, and so torchvision on Pillow's images, makes of an
    image by the same pair. On images of one channel the operation that changes saturation does nothing.

    Args:
        policy: On which data set the policy was found: ``'cifar10'``, ``'imagenet'`` or ``'svhn'``.
        fill: Value of pixels that rotating, shifting or shearing uncovers, 0 to 255.
        channel_order: Of images of three channels; ``'bgr'`` as MMPretrain loads files.

    Raises:
        ConfigError: If a setting is out of range; when called, if images have neither one nor three channels.

    Source: Cubuk et al., "AutoAugment: Learning Augmentation Strategies from Data", CVPR 2019.
    """

    def __init__(self, policy: str = 'cifar10', fill: int = 128, channel_order: ChannelOrder = 'bgr'):
        check_choice('BatchAutoAugment', 'policy', policy, [choice.value for choice in AutoAugmentPolicy])
        check_choice('BatchAutoAugment', 'channel_order', channel_order, ('bgr', 'rgb'))
        check_whole('BatchAutoAugment', 'fill', fill, 0, 255)
        self.fill = fill
        self.pairs = AutoAugment(AutoAugmentPolicy(policy)).policies
        self.probabilities = np.array([[probability for _, probability, _ in pair] for pair in self.pairs])
        self.catalogues = Catalogues(self._operations, channel_order)

    def __call__(self, canvas: Canvas, seeds: NDArray[np.int64], stream: int) -> None:
        """Change the images of the canvas; seeds and stream as :func:`~mmdrl.functional.augment.image_uniforms`."""
        check_channels('BatchAutoAugment', canvas.channels)
        catalogue, numbers = self.catalogues(canvas)
        uniforms = image_uniforms(seeds, 5, stream)
        pair = uniform_integers(uniforms[:, 0], len(self.pairs))
        is_negative = (uniforms[:, 3:] < 0.5).astype(np.int64)
        chosen = numbers[pair[:, None], np.arange(2), is_negative]
        chosen[uniforms[:, 1:3] >= self.probabilities[pair]] = 0
        operate(canvas, chosen, catalogue, (self.fill,))

    def _operations(self, height: int, width: int) -> list[list[list[Operation]]]:
        """By pair, place in the pair and sign."""
        return [
            [
                [operation(name, step or 0, _STEPS, height, width, negative=negative) for negative in (False, True)]
                for name, _, step in pair
            ]
            for pair in self.pairs
        ]
