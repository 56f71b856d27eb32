"""What the test pipeline of a config expects of an image: channels, their order, and the size.

No setting says so; the pipeline is tried on two blank images, and the config tells how its images are loaded.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpretrain.datasets import remove_transform
from mmpretrain.registry import TRANSFORMS
from torch import nn

from mmdrl.errors import ConfigError

from .config import innermost_dataset

LOADING = 'LoadImageFromFile'
_BLANK = ((960, 1600), (2000, 1200))  # larger than any crop, and with sides that no rule turns into each other


def test_pipeline(cfg: Config, loader: str = 'test_dataloader') -> Compose:
    """What happens to an image once it is loaded.

    Raises:
        ConfigError: If the config names no pipeline.
    """
    steps = _pipeline_config(cfg, loader)
    if steps is None:
        raise ConfigError(f'The config has no pipeline in {loader}.dataset, which would say what happens to an image.')
    return Compose([TRANSFORMS.build(step) for step in remove_transform(steps, LOADING)])


def is_rgb(cfg: Config) -> bool:
    """Whether images of three channels enter the test pipeline as RGB, and not as the BGR that MMPretrain loads."""
    steps = _pipeline_config(cfg, 'test_dataloader') or []
    if any(_name(step) == LOADING for step in steps):
        return False
    return str(innermost_dataset(cfg, 'test_dataloader').get('channel_order', 'rgb')) == 'rgb'


def num_channels(model: Any) -> int:
    """Channels of the images that a model takes: those of the first convolution."""
    first = next((part for part in model.backbone.modules() if isinstance(part, nn.Conv2d)), None)
    return 3 if first is None else first.in_channels


def image_size(cfg: Config, channels: int) -> tuple[int, int] | None:
    """Height and width that an image of any size has after the test pipeline, in pixels.

    Args:
        cfg: The config.
        channels: Of the image.

    Returns:
        That to which training crops, if the test pipeline leaves images as they are; ``None`` if it depends on the
        image.
    """
    for loader in ('test_dataloader', 'train_dataloader'):
        if _pipeline_config(cfg, loader) is None:
            continue
        pipeline = test_pipeline(cfg, loader)
        sizes = [_size_after(pipeline, shape, channels) for shape in _BLANK]
        if sizes[0] == sizes[1]:
            return sizes[0]
        if sizes != list(_BLANK):
            return None
    return None


def sample(image: np.ndarray) -> dict[str, Any]:
    """An image as pipelines take it."""
    return dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])


def _size_after(pipeline: Compose, shape: tuple[int, int], channels: int) -> tuple[int, int] | None:
    try:
        result = pipeline(sample(np.zeros((*shape, channels), np.uint8)) | dict(gt_label=0))
        height, width = result['inputs'].shape[-2:]
    except Exception:  # a pipeline may need more than an image: its size is then not known
        return None
    return int(height), int(width)


def _pipeline_config(cfg: Config, loader: str) -> list[Any] | None:
    dataset: Mapping[str, Any] = (cfg.get(loader) or {}).get('dataset') or {}
    while dataset:
        if dataset.get('pipeline'):
            return list(dataset['pipeline'])
        dataset = dataset.get('dataset') or {}
    return None


def _name(step: Any) -> str:
    kind = step.get('type')
    return str(kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]
