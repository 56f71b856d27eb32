"""Mixup of two orders: every image as it comes, mixed with one drawn class-balanced."""

from typing import Any

import numpy as np
import torch
from mmengine.dataset import force_full_init
from torch import Tensor

from mmdrl.datasets.arguments import check_finite, check_whole
from mmdrl.datasets.labels import check_labels, dataset_labels
from mmdrl.datasets.wrappers import metainfo_of
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS


@DATASETS.register_module()
class BalancedMixup:
    r"""A wrapped data set whose images are mixed, each with another drawn class-balanced (Balanced-MixUp).

    Sample i is :math:`(1 - \lambda) x_i + \lambda x_b` with a :math:`\lambda` of its own from
    :math:`\mathrm{Beta}(\alpha, 1)`, where b is drawn from all classes alike and from the images of the class alike.
    Both have been through the pipeline. ``inputs`` are float32, and the labels, mixed likewise, are ``gt_score``; there
    is no ``gt_label`` any more. The order of i is that of the sampler, which should be the ordinary one.

    Random numbers are of NumPy's global generator, which the loops of mmdrl seed for every image.

    Args:
        dataset: Data set or its config, wrapped or not.
        num_classes: K; as many as the data set names, or has labels, if not given.
        alpha: :math:`\alpha`, above 0; the mean of :math:`\lambda` is :math:`\alpha / (\alpha + 1)`.
        lazy_init: Read the wrapped set at the first use instead of now.

    Attributes:
        is_mixing: False: samples are those of the wrapped set, as in a stage with ``mixing=False``.

    Raises:
        ConfigError: If ``alpha`` or ``num_classes`` is out of range.
        DataError: If labels do not fit ``num_classes``; on access, if images differ in size or have no single label.

    Source: Galdran et al., "Balanced-MixUp for Highly Imbalanced Medical Image Classification", MICCAI 2021, and the
    authors' released code, which draws one :math:`\lambda` for a batch.
    """

    def __init__(self, dataset: Any, num_classes: int | None = None, alpha: float = 0.2, lazy_init: bool = False):
        check_finite('BalancedMixup: alpha', alpha)
        if alpha <= 0:
            raise ConfigError(f'BalancedMixup: alpha must be above 0, got {alpha!r}.')
        if num_classes is not None:
            check_whole('BalancedMixup: num_classes', num_classes, 1)
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.num_classes = num_classes
        self.alpha = alpha
        self.is_mixing = True
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Read the labels of the wrapped set and put its images in order of class."""
        if self._fully_initialized:
            return
        labels = dataset_labels(self.dataset)
        if len(labels) == 0:
            raise DataError(f'{type(self.dataset).__name__} is empty: there is nothing to mix.')
        named = len(metainfo_of(self.dataset).get('classes') or ())
        self._num_scores = self.num_classes or named or int(labels.max()) + 1
        check_labels(labels, self._num_scores, where=f'The labels of {type(self.dataset).__name__}')
        self._labels = labels
        self._by_class = np.argsort(labels, kind='stable')
        self._ends = np.cumsum(np.unique(labels, return_counts=True)[1])  # in that order, of every class that occurs
        self._fully_initialized = True

    @property
    def metainfo(self) -> dict[str, Any]:
        """A copy of the wrapped set's meta information."""
        return metainfo_of(self.dataset)

    @property
    def indices(self) -> range:
        """Positions in the wrapped set: all of them, by which labels and images are looked up."""
        return range(len(self))

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, index: int) -> Any:
        if not self.is_mixing:
            return self.dataset[index]
        share = np.random.beta(self.alpha, 1)
        other = self.dataset[self.draw_balanced()]
        return _mix(self.dataset[index], other, share, self._num_scores)

    @force_full_init
    def draw_balanced(self) -> int:
        """Position of an image: all classes that occur are as likely as each other, and all images of a class."""
        drawn = np.random.randint(len(self._ends))
        return int(self._by_class[np.random.randint(self._ends[drawn - 1] if drawn else 0, self._ends[drawn])])

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Data of the image that is mixed with another."""
        return self.dataset.get_data_info(index)

    @force_full_init
    def get_cat_ids(self, index: int) -> list[int]:
        """Its label, in a list as MMEngine's wrappers want it."""
        return [int(self._labels[index])]

    def __repr__(self) -> str:
        return f'{type(self).__name__}(alpha={self.alpha}, is_mixing={self.is_mixing}) of\n{self.dataset!r}'


def _mix(sample: dict[str, Any], other: dict[str, Any], share: float, num_classes: int) -> dict[str, Any]:
    """``sample`` with the given share of ``other`` in image and label."""
    image, other_image = sample['inputs'], other['inputs']
    if not isinstance(image, Tensor) or image.shape != other_image.shape:
        sizes = ' and '.join(str(tuple(getattr(each, 'shape', ()))) for each in (image, other_image))
        raise DataError(
            f'BalancedMixup needs images of one size, got {sizes}. Let the pipeline crop or resize them and end with '
            'PackInputs.'
        )
    score = torch.zeros(num_classes)
    score[_label(sample)] += 1 - share
    score[_label(other)] += share
    mixed = sample['data_samples'].clone()
    del mixed.gt_label
    return {
        **sample,
        'inputs': torch.lerp(image.float(), other_image.float(), share),
        'data_samples': mixed.set_gt_score(score),
    }


def _label(sample: dict[str, Any]) -> int:
    data_sample = sample.get('data_samples')
    if data_sample is None or 'gt_label' not in data_sample or data_sample.gt_label.numel() != 1:
        raise DataError(
            'BalancedMixup needs one label per image, as PackInputs hands it over, got a sample without. Are images '
            'mixed already?'
        )
    return int(data_sample.gt_label)
