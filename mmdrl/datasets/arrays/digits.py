"""The handwritten digits that come with scikit-learn: a data set that is always there.

1797 grey images of 8 x 8 pixels in ten nearly equal classes, nothing to download. With
:class:`~mmdrl.datasets.LongTailDataset` they make a long-tailed set that trains on a CPU in seconds.
"""

from collections.abc import Hashable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.columns import Column, ColumnDataset
from mmdrl.registry import DATASETS


@DATASETS.register_module()
class Digits(ColumnDataset):
    """The 1797 digits of scikit-learn; ``img`` is (8, 8, 1) uint8, ink bright on black.

    The 17 grey levels 0..16 of the source are spread over 0..255. A split is not built in: take the
    parts ``'train'`` and ``'holdout'`` of a :class:`~mmdrl.datasets.LongTailDataset`.

    Args:
        **kwargs: Of :class:`mmpretrain.datasets.BaseDataset`, such as ``pipeline`` and ``test_mode``.

    Source: ``sklearn.datasets.load_digits``, the test part of the UCI optical recognition of handwritten
    digits (Alpaydin & Kaynak, 1998).
    """

    METAINFO = dict(classes=tuple(str(digit) for digit in range(10)))

    def __init__(self, **kwargs: Any):
        super().__init__(ann_file='', **kwargs)

    def load_columns(self) -> dict[str, Column]:
        """The columns ``img`` and ``gt_label``."""
        rows = _rows()
        images = np.rint(rows[:, :-1].reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
        return {'img': images, 'gt_label': rows[:, -1].astype(np.int64)}

    def image_source(self) -> Hashable:
        """The digits are the same whenever they are read."""
        return 'scikit-learn'


def _rows() -> NDArray[np.float64]:
    """64 grey levels and the label of each image, shape ``(1797, 65)``.

    They are read from the file that scikit-learn reads, as importing it takes more than a second.
    """
    package = find_spec('sklearn')
    for folder in (package.submodule_search_locations or []) if package else []:
        if (file := Path(folder, 'datasets/data/digits.csv.gz')).is_file():
            return np.loadtxt(file, delimiter=',')
    from sklearn.datasets import load_digits  # which also says how to install it

    digits = load_digits()
    return np.column_stack([digits.data, digits.target])
