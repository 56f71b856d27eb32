"""A batch out of a column of images, where that gives exactly what the pipeline gives image by image."""

from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmpretrain.structures import DataSample
from numpy.typing import NDArray

from mmdrl.batch_samples import BatchSamples

from .absent_images import first_present, refuse_absent
from .image_batch import ImageBatch
from .unchanged_by import is_unchanged_by

OWN_WAYS = ('__getitem__', 'prepare_data', 'get_data_info')  # of a data set to come by a sample


def gather(images: Any, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Images at these rows of an array or a column that can gather, shape ``(B, H, W, C)``, the caller's own."""
    found: NDArray[np.uint8] = np.take(images, rows, axis=0) if isinstance(images, np.ndarray) else images.gather(rows)
    return found


def column_batch(dataset: Any, positions: NDArray[np.int64], seeds: NDArray[np.int64] | None) -> ImageBatch:
    """Samples of a ``ColumnDataset`` for which :func:`common_metainfo` is not None.

    Args:
        dataset: The data set.
        positions: Shape ``(B,)``, from 0.
        seeds: Of each image's random numbers, shape ``(B,)``.
    """
    rows = positions if dataset._rows is None else dataset._rows[positions]
    refuse_absent(dataset, rows)
    on_device, known = dataset._on_device, dataset._known_images
    images = dataset._columns['img']
    samples = BatchSamples(
        torch.from_numpy(np.asarray(dataset._columns['gt_label'])[rows].astype(np.int64)),
        torch.from_numpy(positions),
        None if seeds is None else torch.from_numpy(seeds),
        metainfo=common_metainfo(dataset),
    )
    if on_device is not None:
        return ImageBatch(partial(on_device.gather, rows), samples)
    inputs = known.named(rows) if known.are_parents() else None
    return ImageBatch(lambda: torch.from_numpy(gather(images, rows)), samples, inputs)


def common_metainfo(dataset: Any) -> dict[str, Any] | None:
    """Meta information that the pipeline of a data set gives for every image alike; None if images must come singly.

    Args:
        dataset: A ``ColumnDataset``, read already.
    """
    if type(dataset.pipeline) is not Compose or not len(dataset):
        return None
    steps = tuple(dataset.pipeline.transforms)
    known = vars(dataset).get('_tried')
    if known is None or len(known[0]) != len(steps) or any(a is not b for a, b in zip(known[0], steps, strict=True)):
        known = dataset._tried = steps, _tried(dataset)
    return known[1]


def _is_array(images: Any) -> bool:
    """Whether the images have one size and can be taken at once."""
    return (isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.ndim == 4) or hasattr(
        images, 'gather'
    )


def _tried(dataset: Any) -> dict[str, Any] | None:
    """What the pipeline says of the first image beside position and label; None if it does anything else to one."""
    images, first = dataset._columns.get('img'), first_present(dataset)
    if set(dataset._columns) != {'img', 'gt_label'} or not _is_array(images):
        return None
    if not is_unchanged_by(dataset.pipeline, *images[0].shape[:2]):
        return None
    try:
        made = dataset.prepare_data(first)
    except Exception:  # image by image it will say so
        return None
    sample: Any = made.get('data_samples') if isinstance(made, dict) and len(made) == 2 else None
    image = torch.from_numpy(gather(images, dataset.rows()[first : first + 1]))[0].permute(2, 0, 1)
    if type(sample) is not DataSample or sample.keys() != ['gt_label'] or not torch.equal(made['inputs'], image):
        return None
    return {name: value for name, value in sample.metainfo.items() if name != 'sample_idx'}
