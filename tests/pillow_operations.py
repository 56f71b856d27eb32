"""The operations of AutoAugment and RandAugment by torchvision's public functions on Pillow's images."""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image
from torchvision.transforms.v2 import functional as by_torchvision

_AFFINE = dict(angle=0.0, scale=1.0)


def of_pillow(name: str, magnitude: float, image: np.ndarray, fill: int = 128) -> np.ndarray:
    """An image (H, W, 1) or (H, W, 3), RGB, after one operation."""
    slant = math.degrees(math.atan(magnitude))
    operations: dict[str, Callable[[Image.Image], Image.Image]] = {
        'Identity': lambda i: i,
        'ShearX': lambda i: by_torchvision.affine(
            i, **_AFFINE, translate=[0, 0], shear=[slant, 0.0], center=[0, 0], fill=fill
        ),
        'ShearY': lambda i: by_torchvision.affine(
            i, **_AFFINE, translate=[0, 0], shear=[0.0, slant], center=[0, 0], fill=fill
        ),
        'TranslateX': lambda i: by_torchvision.affine(
            i, **_AFFINE, translate=[int(magnitude), 0], shear=[0.0, 0.0], fill=fill
        ),
        'TranslateY': lambda i: by_torchvision.affine(
            i, **_AFFINE, translate=[0, int(magnitude)], shear=[0.0, 0.0], fill=fill
        ),
        'Rotate': lambda i: by_torchvision.rotate(i, magnitude, fill=fill),
        'Brightness': lambda i: by_torchvision.adjust_brightness(i, 1.0 + magnitude),
        'Color': lambda i: by_torchvision.adjust_saturation(i, 1.0 + magnitude),
        'Contrast': lambda i: by_torchvision.adjust_contrast(i, 1.0 + magnitude),
        'Sharpness': lambda i: by_torchvision.adjust_sharpness(i, 1.0 + magnitude),
        'Posterize': lambda i: by_torchvision.posterize(i, int(magnitude)),
        'Solarize': lambda i: by_torchvision.solarize(i, 255.0 * magnitude),
        'AutoContrast': by_torchvision.autocontrast,
        'Equalize': by_torchvision.equalize,
        'Invert': by_torchvision.invert,
    }
    pillow = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    return np.array(operations[name](pillow)).reshape(image.shape)
