"""How much the operations of AutoAugment and RandAugment do, by their scale of magnitudes.

The ranges are the published ones, as torchvision has them: its float32 steps are these, so that shifts, which are cut
to whole pixels, are the same.

Source: Cubuk et al., "AutoAugment: Learning Augmentation Strategies from Data", CVPR 2019, table 6.
"""

import torch

Operation = tuple[str, float]  # name and magnitude, with its sign
IDENTITY: Operation = ('Identity', 0.0)
SIGNED = ('ShearX', 'ShearY', 'TranslateX', 'TranslateY', 'Rotate', 'Brightness', 'Color', 'Contrast', 'Sharpness')
UNSIGNED = ('Posterize', 'Solarize', 'AutoContrast', 'Equalize', 'Invert')
_WITHOUT = ('Identity', 'AutoContrast', 'Equalize', 'Invert')


def operation(name: str, step: int, steps: int, height: int, width: int, negative: bool = False) -> Operation:
    """An operation with its magnitude for images of a size.

    Args:
        name: As torchvision has it, such as ``'ShearX'``.
        step: On the scale, from 0.
        steps: Of the scale.
        height: Of the images, of which shifts are a share.
        width: Of the images.
        negative: In the other direction; of no effect on those that have none.
    """
    if name in _WITHOUT:
        return name, 0.0
    if name == 'Posterize':
        return name, float((8 - (torch.arange(steps) / ((steps - 1) / 4))).round()[step])
    if name == 'Solarize':
        return name, float(torch.linspace(1.0, 0.0, steps)[step])
    top = {
        'ShearX': 0.3,
        'ShearY': 0.3,
        'TranslateX': 150.0 / 331.0 * width,
        'TranslateY': 150.0 / 331.0 * height,
        'Rotate': 30.0,
    }.get(name, 0.9)
    value = float(torch.linspace(0.0, top, steps)[step])
    return name, -value if negative else value
