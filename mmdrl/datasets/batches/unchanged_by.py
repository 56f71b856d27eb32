"""Pipelines that hand images over as the data set has them, so that there is nothing to do for each.

Known are the transforms of the table below, by exactly their class; what is not in it may do anything.
"""

from collections.abc import Callable
from typing import Any

from mmcv.transforms import CenterCrop, Resize
from mmengine.dataset import Compose
from mmpretrain.datasets import PackInputs, ResizeEdge


def is_unchanged_by(pipeline: Any, height: int, width: int) -> bool:
    """Whether the transforms leave every image of this size as it is, and pack it as is usual.

    Args:
        pipeline: Of a data set.
        height: In pixels.
        width: In pixels.
    """
    if type(pipeline) is not Compose or not pipeline.transforms:
        return False
    *before, last = pipeline.transforms
    return _packs_as_usual(last) and all(_leaves(step, height, width) for step in before)


def _packs_as_usual(step: Any) -> bool:
    return (
        type(step) is PackInputs
        and step.input_key == 'img'
        and not step.algorithm_keys
        and tuple(step.meta_keys) == tuple(PackInputs.DEFAULT_META_KEYS)
    )


def _leaves(step: Any, height: int, width: int) -> bool:
    leaves = _LEAVES.get(type(step))
    return leaves is not None and leaves(step, height, width)


def _edge_stays(step: Any, height: int, width: int) -> bool:
    is_width = step.edge == 'width' or (step.edge == 'short' and width < height)
    is_width = is_width or (step.edge == 'long' and width > height)
    return step.scale == (width if is_width else height)


# To the size that it has, every interpolation of OpenCV and Pillow copies an image.
_LEAVES: dict[type, Callable[[Any, int, int], bool]] = {
    ResizeEdge: _edge_stays,
    Resize: lambda step, height, width: step.scale is not None and tuple(step.scale) == (width, height),
    CenterCrop: lambda step, height, width: tuple(step.crop_size) == (width, height),
}
