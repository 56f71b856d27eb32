"""dataset_labels: the same labels as loading every sample, through any wrapper."""

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.runner import Runner
from mmpretrain.datasets import BaseDataset as ClassificationDataset
from mmpretrain.datasets import KFoldDataset
from numpy.testing import assert_array_equal
from torch.utils.data import Subset

from mmdrl.datasets import ArrayDataset, LongTailDataset, check_labels, dataset_labels
from mmdrl.errors import DataError
from mmdrl.registry import DATASETS


@DATASETS.register_module(force=True)
class LabelledRows(ClassificationDataset):
    """Rows with a label and nothing else."""

    def __init__(self, labels, **kwargs):
        self.rows = [dict(gt_label=label) for label in labels]
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self):
        return list(self.rows)


LABELS = [0, 2, 1, 0, 0, 1, 0, 2, 0, 0, 1, 0]


def rows(labels=LABELS, **kwargs) -> LabelledRows:
    return LabelledRows(labels, **kwargs)


def as_config(labels=LABELS) -> dict:
    return dict(type='mmdrl.LabelledRows', labels=labels)


WRAPPED = {
    'plain': rows,
    'first seven': lambda: rows(indices=7),
    'not serialised': lambda: rows(serialize_data=False),
    'lazy': lambda: rows(lazy_init=True),
    'concat': lambda: ConcatDataset([rows(), rows([2, 2, 1])]),
    'lazy concat': lambda: ConcatDataset([rows(lazy_init=True), rows([2, 2, 1])], lazy_init=True),
    'repeat': lambda: RepeatDataset(rows(), 3),
    'class balanced': lambda: ClassBalancedDataset(rows(), 0.9),
    'folds to train on': lambda: KFoldDataset(as_config(), fold=1, num_splits=3, seed=3),
    'fold to test on': lambda: KFoldDataset(as_config(), fold=1, num_splits=3, seed=3, test_mode=True),
    'long tail': lambda: LongTailDataset(rows(), 2),
    'concat of repeats': lambda: ConcatDataset(
        [dict(type='RepeatDataset', dataset=as_config(), times=2), as_config([1, 0])]
    ),
    'long tail of repeat': lambda: LongTailDataset(RepeatDataset(rows(), 2), 2),
    'subset of long tail': lambda: Subset(LongTailDataset(rows(), 2), [3, 0]),
    'subset of class balanced': lambda: Subset(ClassBalancedDataset(rows(), 0.9), [13, 2]),
    'torch subset': lambda: Subset(rows(), [5, 1, 7, 7]),
}


@pytest.mark.parametrize('name', WRAPPED)
def test_labels_are_those_of_the_samples_in_order(name):
    dataset = WRAPPED[name]()
    labels = dataset_labels(dataset)
    assert labels.dtype == np.int64
    assert labels.tolist() == [dataset[position]['gt_label'] for position in range(len(dataset))]


def test_balancing_wrapper_does_repeat_rare_classes():
    counts = np.bincount(dataset_labels(ClassBalancedDataset(rows(), 0.9)))
    assert counts[2] > LABELS.count(2)


@pytest.mark.parametrize('wrap', [rows, lambda: RepeatDataset(rows(), 2)])
def test_slice_of_a_few_batches_has_the_first_labels(wrap):
    loader = Runner.build_dataloader(
        dict(
            dataset=wrap(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=2,
            num_batch_per_epoch=3,
            collate_fn=dict(type='default_collate'),
        )
    )
    assert len(loader.dataset) == 6
    assert_array_equal(dataset_labels(loader.dataset), LABELS[:6])


def test_slice_beyond_the_end_is_reported():
    loader = Runner.build_dataloader(
        dict(
            dataset=rows(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=5,
            num_batch_per_epoch=3,
        )
    )
    with pytest.raises(DataError, match='has 15 samples but tells 12 labels'):
        dataset_labels(loader.dataset)


class OnlyCategories:
    def __len__(self):
        return 3

    def get_cat_ids(self, index):
        return [[4], [0], [4]][index]


class OnlyData:
    def __len__(self):
        return 3

    def get_data_info(self, index):
        return dict(gt_label=[4, 0, 4][index])


class DataButNoCategories(BaseDataset):
    """MMEngine's base class has a get_cat_ids that raises NotImplementedError."""

    def load_data_list(self):
        return [dict(gt_label=label) for label in (4, 0, 4)]


@pytest.mark.parametrize('kind', [OnlyCategories, OnlyData, DataButNoCategories])
def test_one_interface_is_enough(kind):
    assert_array_equal(dataset_labels(kind()), [4, 0, 4])


class Unlabelled:
    def __len__(self):
        return 3


class NoLabelField(OnlyData):
    def get_data_info(self, index):
        return dict(img=index)


class MultiLabel(OnlyCategories):
    def get_cat_ids(self, index):
        return [0, index]


class TooManyLabels(Unlabelled):
    def get_gt_labels(self):
        return np.arange(4)


class OneHot(Unlabelled):
    def get_gt_labels(self):
        return np.eye(3, dtype=int)


@pytest.mark.parametrize(
    ('kind', 'message'),
    [
        (Unlabelled, 'Unlabelled does not tell its labels: it needs get_gt_labels'),
        (NoLabelField, "NoLabelField have no field 'gt_label'"),
        (MultiLabel, 'one label per sample, but sample 0 has 2'),
        (TooManyLabels, 'has 3 samples but tells 4 labels'),
        (OneHot, r'one integer label per sample, got .* shape \(3, 3\)'),
    ],
)
def test_data_without_one_label_per_sample_are_refused(kind, message):
    with pytest.raises(DataError, match=message):
        dataset_labels(kind())


def test_labels_of_columns_are_the_callers_own(tmp_path):
    np.savez(tmp_path / 'data.npz', images=np.zeros((3, 2, 2), np.uint8), labels=np.array([2, 0, 1]))
    dataset = ArrayDataset(str(tmp_path / 'data.npz'))
    dataset_labels(dataset)[:] = 7
    assert dataset_labels(dataset).tolist() == [2, 0, 1]


def test_labels_in_range_pass():
    check_labels([0, 4, 2], 5)
    check_labels([0, 400], None)
    check_labels([], 1)


@pytest.mark.parametrize(
    ('labels', 'num_classes', 'message'),
    [
        ([0, 1, 5, 7], 5, r'in \[0, 5\), got 5 at position 2 \(2 of 4 are outside\)'),
        ([0, -1], 5, r'in \[0, 5\), got -1 at position 1'),
        ([3, -2], None, 'at least 0, got -2 at position 1'),
        ([3, 20181231], None, 'below 10,000,000, .* got 20181231 at position 1'),
    ],
)
def test_label_out_of_range_is_named_with_its_position(labels, num_classes, message):
    with pytest.raises(DataError, match=message):
        check_labels(labels, num_classes)
