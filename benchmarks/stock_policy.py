"""The CIFAR-10 policy of AutoAugment, and Cutout, in transforms that MMPretrain has itself.

MMPretrain comes with the policy of ImageNet only. Its operations are put together here as in the published table for
CIFAR-10, with the same probabilities and magnitudes; the nearest pixel is taken, as in the published code.
"""

from typing import Any

from torchvision.transforms import AutoAugment, AutoAugmentPolicy

from mmdrl.functional.augment import operation


def stock_operation(name: str, prob: float, step: int | None) -> dict[str, Any]:
    """MMPretrain's transform that does an operation of a published policy to images of 32 pixels."""
    magnitude = operation(name, step or 0, 10, 32, 32)[1]
    kind, axis = name.rstrip('XY'), 'vertical' if name.endswith('Y') else 'horizontal'
    match kind:
        case 'Shear' | 'Translate':
            part = magnitude if kind == 'Shear' else magnitude / 32
            settings = dict(magnitude=part, direction=axis, interpolation='nearest')
        case 'Rotate':
            settings = dict(angle=magnitude, interpolation='nearest')
        case 'Posterize':
            settings = dict(bits=int(magnitude))
        case 'Solarize':
            settings = dict(thr=255 * magnitude)
        case 'AutoContrast' | 'Equalize' | 'Invert':
            settings = {}
        case _:
            settings = dict(magnitude=magnitude)
    return dict(type={'Color': 'ColorTransform'}.get(kind, kind), prob=prob, **settings)


AUTO_AUGMENT = dict(
    type='AutoAugment',
    policies=[[stock_operation(*one) for one in pair] for pair in AutoAugment(AutoAugmentPolicy.CIFAR10).policies],
)
CUTOUT = dict(type='Cutout', shape=16, pad_val=0, prob=1.0)
