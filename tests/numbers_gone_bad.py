"""Trainings of the digits in which numbers go bad."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from digits_run import short_config
from mmengine.config import Config
from mmengine.hooks import Hook

from mmdrl.registry import TRANSFORMS

SKIP = {'default_hooks.non_finite.action': 'skip'}
POISONED = 418  # an image of class 5, in the third place of the first epoch and elsewhere in the second


@TRANSFORMS.register_module()
class PoisonPixel:
    """One pixel of some images of the digits becomes nan."""

    def __init__(self, images: list[int], value: float = math.nan):
        self.images = images
        self.value = value

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        image = results['img'].astype(np.float32)
        if results['sample_idx'] in self.images:
            image[2, 3] = self.value
        return {**results, 'img': image}


class SpoiltGradient(Hook):
    """Multiplies one gradient at some iterations."""

    def __init__(self, *iterations: int, factor: float = math.inf):
        self.iterations = iterations
        self.factor = factor

    def before_train(self, runner: Any) -> None:
        weight = runner.model.backbone.layer1[0].conv2.weight
        weight.register_hook(lambda grad: grad * (self.factor if runner.iter in self.iterations else 1.0))


def poisoned(folder: Path, *images: int, epochs: int = 2, value: float = math.nan, **changes: Any) -> Config:
    """The digits job without stages' changes, with an image that holds nan."""
    cfg = short_config(folder, [dict(name='only', epochs=epochs)], **changes)
    poison = dict(type='mmdrl.PoisonPixel', images=list(images), value=value)
    cfg.train_dataloader.dataset.dataset.pipeline = [poison, dict(type='PackInputs')]
    return cfg
