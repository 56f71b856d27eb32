"""What only a GPU can show of augmented batches: the pixels are those of the CPU, and nothing waits for the device."""

import numpy as np
import pytest
import torch

from mmdrl.functional.augment import image_words
from mmdrl.models.preprocessors.augments import BatchAugmentation

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')

GEOMETRY = [dict(type='BatchCrop', size=32, padding=4), dict(type='BatchFlip', prob=0.5)]


@pytest.mark.parametrize(
    'step',
    [
        dict(type='BatchAutoAugment', policy='cifar10'),
        dict(type='BatchAutoAugment', policy='imagenet'),
        dict(type='BatchAutoAugment', policy='svhn'),
        dict(type='BatchRandAugment', num_ops=3),
        dict(type='BatchCutout', length=16),
        dict(type='BatchErasing'),
        dict(type='BatchErasing', mode='rand'),
    ],
)
def test_pixels_are_those_of_the_cpu_and_nothing_waits(step: dict[str, object], rng: np.random.Generator) -> None:
    smooth = rng.integers(0, 256, (256, 8, 8, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    images = torch.from_numpy(smooth // 2 + rng.integers(0, 120, smooth.shape, dtype=np.uint8))
    seeds = torch.from_numpy(image_words(np.array([5]), len(images), 0)[0].view(np.int64).copy())
    augment = BatchAugmentation([*GEOMETRY, step])
    on_gpu = images.cuda()
    result = augment(on_gpu, seeds)  # what is made once may wait
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        again = augment(on_gpu, seeds)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert torch.equal(result, again)
    assert torch.equal(result.cpu(), augment(images, seeds))
