"""How a message names the samples of a batch: by file, or number in the data, and class."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from torch import Tensor

from mmdrl.batch_samples import BatchSamples

_NAMING = ('img_path', 'sample_idx', 'gt_label')


def sample_names(samples: Sequence[Any], classes: Sequence[str] | None) -> list[str]:
    """Such as ``a.png of class 3 (cat)`` or ``image 17 of the data of class 3``, for each sample.

    Args:
        samples: What a batch knows of them, as MMPretrain's ``DataSample``.
        classes: Names of the classes.
    """
    return [_name(sample, place, classes) for place, sample in enumerate(samples)]


def nameable(samples: Any) -> Any:
    """As much of the samples as names are made of, but mixed labels, whose K numbers for each fill a device."""
    if isinstance(samples, BatchSamples):
        return samples if samples.scores is None else samples.without_scores()
    if not samples or getattr(samples[0], 'gt_score', None) is None:
        return samples
    return [SimpleNamespace(**{key: getattr(sample, key, None) for key in _NAMING}) for sample in samples]


def _name(sample: Any, place: int, classes: Sequence[str] | None) -> str:
    path, number = getattr(sample, 'img_path', None), getattr(sample, 'sample_idx', None)
    name = str(path) if path else f'image {number} of the data' if number is not None else f'image {place} of the batch'
    label = getattr(sample, 'gt_label', None)
    if isinstance(score := getattr(sample, 'gt_score', None), Tensor):  # mixed, of several classes
        label = score.nonzero()
    if not isinstance(label, Tensor) or label.numel() == 0:
        return name
    labels = label.flatten().tolist()
    return f'{name} of class {" and ".join(_class(index, classes) for index in labels)}'


def _class(index: int, classes: Sequence[str] | None) -> str:
    name = str(classes[index]) if classes is not None and 0 <= index < len(classes) else str(index)
    return str(index) if name == str(index) else f'{index} ({name})'
