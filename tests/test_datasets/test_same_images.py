"""image_ids: equal numbers are the same image, whatever is wrapped around it."""

from itertools import combinations

import numpy as np
import pytest
import torch
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.runner.runner import _SlicedDataset
from mmpretrain.datasets import BaseDataset, KFoldDataset
from torch.utils.data import ConcatDataset as TorchConcatDataset
from torch.utils.data import Subset, TensorDataset

from mmdrl.datasets import ArrayDataset, Digits, LongTailDataset, distinct_images, image_ids
from mmdrl.registry import DATASETS

LABELS = [0, 2, 1, 0, 0, 1, 0, 2, 0, 0, 1, 0]


@DATASETS.register_module(force=True)
class MarkedRows(BaseDataset):
    """Rows that tell which image they are."""

    def __init__(self, mark='a', **kwargs):
        self.mark = mark
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self):
        return [dict(gt_label=label, image=(self.mark, number)) for number, label in enumerate(LABELS)]


A, B = MarkedRows('a'), MarkedRows('b')
WRAPPED = {
    'plain': lambda: A,
    'lazy': lambda: MarkedRows(lazy_init=True),
    'repeat': lambda: RepeatDataset(A, 3),
    'balanced': lambda: ClassBalancedDataset(A, 0.9),
    'subset with repeats': lambda: Subset(A, [3, 3, 1, 0, 1]),
    'slice': lambda: _SlicedDataset(RepeatDataset(A, 2), 17),
    'concat of two': lambda: ConcatDataset([A, B]),
    'concat of one twice': lambda: ConcatDataset([A, B, A]),
    'long tail': lambda: LongTailDataset(RepeatDataset(A, 2), 2),
    'fold': lambda: KFoldDataset(dict(type='mmdrl.MarkedRows'), fold=1, num_splits=3, seed=3),
    'tail and its set': lambda: TorchConcatDataset([LongTailDataset(A, 2), Subset(B, [2, 5]), A]),
    'all at once': lambda: TorchConcatDataset(
        [
            Subset(TorchConcatDataset([B, ClassBalancedDataset(A, 0.9), RepeatDataset(A, 2)]), [30, 2, 14]),
            A,
            Subset(B, [2]),
        ]
    ),
}


@pytest.mark.parametrize('name', WRAPPED)
def test_equal_numbers_are_equal_images_and_no_others(name):
    dataset = WRAPPED[name]()
    ids = image_ids(dataset)
    assert ids.dtype == np.int64
    images = [dataset[position]['image'] for position in range(len(dataset))]
    for first, second in combinations(range(len(dataset)), 2):
        assert (ids[first] == ids[second]) == (images[first] == images[second])
    first_places = [position for position, image in enumerate(images) if image not in images[:position]]
    assert distinct_images(dataset).tolist() == first_places


def save(path, value, **changes) -> str:
    np.savez(path, images=np.full((4, 2, 2), value, np.uint8), labels=np.zeros(4, int), **changes)
    return str(path)


def test_one_file_read_twice_is_one_set_of_images_and_two_files_are_two(tmp_path, monkeypatch):
    first, second = save(tmp_path / 'a.npz', 1), save(tmp_path / 'b.npz', 1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'link.npz').symlink_to('a.npz')
    joined = TorchConcatDataset(
        [
            ArrayDataset(first),
            ArrayDataset('a.npz', indices=[2, 0]),
            ArrayDataset('link.npz').get_subset(-1),
            ArrayDataset(second),
        ]
    )
    ids = image_ids(joined)
    assert ids[4:7].tolist() == ids[[2, 0, 3]].tolist()
    assert len(distinct_images(joined)) == 8


def test_digits_are_the_same_whenever_they_are_read():
    folds = [
        KFoldDataset(dict(type='mmdrl.Digits'), fold=fold, num_splits=3, test_mode=True, seed=1) for fold in range(3)
    ]
    assert len(distinct_images(TorchConcatDataset([*folds, Digits()]))) == 1797


def test_any_data_set_with_a_length_will_do():
    plain = TensorDataset(torch.zeros(5))
    assert distinct_images(TorchConcatDataset([plain, plain])).tolist() == [0, 1, 2, 3, 4]


def test_empty_set_has_no_image():
    assert len(image_ids(Subset(A, []))) == 0
