"""AutoAugment with its published policies, by torchvision, on the images of an OpenMMLab pipeline.

MMPretrain's own ``AutoAugment`` has the policy of ImageNet only; recipes for small images mean that of CIFAR-10.
"""

from typing import Any, Literal, get_args

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image
from torchvision.transforms import v2

from mmdrl.errors import ConfigError
from mmdrl.registry import TRANSFORMS

Policy = Literal['cifar10', 'imagenet', 'svhn']
ChannelOrder = Literal['bgr', 'rgb']


@TRANSFORMS.register_module()
class AutoAugmentPolicy(BaseTransform):
    """Image changed by one randomly chosen pair of operations out of a published policy.

    Takes ``img`` as it was loaded, before it is normalised: uint8, ``(H, W, 3)``, or grey, ``(H, W)`` or ``(H, W, 1)``,
    on which the operation that changes colours does nothing. Shape and dtype stay, the array given is not written to.
    All random numbers come from torch's generator.

    Args:
        policy: On which data set the policy was found: ``'cifar10'``, ``'imagenet'`` or ``'svhn'``.
        fill: Value of pixels that rotating, shifting or shearing uncovers, 0 to 255; grey, as the published
            implementations have it.
        channel_order: Of images of three channels. ``'bgr'`` as MMPretrain loads files; ``'rgb'`` for arrays such as
            those of ``mmdrl.CIFAR``. Operations on colours would go wrong without.

    Raises:
        ConfigError: If a setting is out of range, or the image is none of those above.

    Source: Cubuk et al., "AutoAugment: Learning Augmentation Strategies from Data", CVPR 2019.
    """

    def __init__(self, policy: Policy = 'cifar10', fill: int = 128, channel_order: ChannelOrder = 'bgr'):
        for name, value, choices in (
            ('policy', policy, get_args(Policy)),
            ('channel_order', channel_order, get_args(ChannelOrder)),
        ):
            if value not in choices:
                raise ConfigError(f'AutoAugmentPolicy: {name} must be one of {", ".join(choices)}, got {value!r}.')
        if type(fill) is not int or not 0 <= fill <= 255:
            raise ConfigError(f'AutoAugmentPolicy: fill must be a whole number from 0 to 255, got {fill!r}.')
        self.policy: Policy = policy
        self.fill = fill
        self.channel_order: ChannelOrder = channel_order
        self._augment = v2.AutoAugment(v2.AutoAugmentPolicy(policy), fill=fill)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """The sample with its ``img`` changed."""
        image: np.ndarray = results['img']
        is_grey = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
        if image.dtype != np.uint8 or not (is_grey or (image.ndim == 3 and image.shape[2] == 3)):
            raise ConfigError(
                'AutoAugmentPolicy takes uint8 images (H, W), (H, W, 1) or (H, W, 3), got '
                f'{image.dtype} {image.shape}. Put it behind loading, before the image is converted or normalised.'
            )
        # On PIL images, as published: torchvision's operations on tensors round differently and take longer.
        if is_grey:
            changed = self._augmented(image.reshape(image.shape[:2])).reshape(image.shape)
        elif self.channel_order == 'rgb':
            changed = self._augmented(image)
        else:
            changed = np.ascontiguousarray(self._augmented(np.ascontiguousarray(image[..., ::-1]))[..., ::-1])
        return {**results, 'img': changed}

    def _augmented(self, image: np.ndarray) -> np.ndarray:
        return np.array(self._augment(Image.fromarray(image)))

    def __repr__(self) -> str:
        settings = f'policy={self.policy!r}, fill={self.fill}, channel_order={self.channel_order!r}'
        return f'{type(self).__name__}({settings})'
