"""Reads photographs of digits: ``python read_digits.py CONFIG CHECKPOINT IMAGE...``."""

import sys

from mmpretrain import ImageClassificationInferencer

import mmdrl  # noqa: F401  (before a config is read that inherits from `mmdrl::`)

config, checkpoint, *images = sys.argv[1:]
read = ImageClassificationInferencer(model=config, pretrained=checkpoint, device='cpu')
for image, result in zip(images, read(images), strict=True):
    print(f'{image}: {result["pred_class"]} ({result["pred_score"]:.2f})')
