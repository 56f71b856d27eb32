"""ColumnDataset: what MMEngine's own data set does, and samples that are replaced within their class."""

import copy
import pickle

import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset, RepeatDataset
from mmpretrain.datasets import BaseDataset, KFoldDataset
from numpy.testing import assert_array_equal

from mmdrl.datasets.columns import ColumnDataset, same_class_after
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS

LABELS = [0, 2, 1, 0, 0, 1, 0, 2, 0, 0, 1, 0]


@DATASETS.register_module(force=True)
class LetterColumns(ColumnDataset):
    """Twelve letters with a label and two pixels each."""

    reads = 0

    def __init__(self, **kwargs):
        super().__init__(ann_file='', **kwargs)

    def load_columns(self):
        type(self).reads += 1
        return {'letter': list('abcdefghijkl'), 'gt_label': np.array(LABELS), 'img': np.arange(24).reshape(12, 2)}


@DATASETS.register_module(force=True)
class LetterRows(BaseDataset):
    """The same as MMPretrain would have it: the oracle."""

    def __init__(self, **kwargs):
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self):
        images = np.arange(24).reshape(12, 2)
        return [
            dict(letter=letter, gt_label=label, img=image)
            for letter, label, image in zip('abcdefghijkl', LABELS, images, strict=True)
        ]

    def _copy_without_annotation(self, memo=None):
        # MMEngine's default memo is one dict for all copies of a process, by addresses that come again: a
        # later subset could get another subset's attribute.
        return super()._copy_without_annotation({} if memo is None else memo)


def assert_same_samples(found, expected) -> None:
    assert len(found) == len(expected)
    assert_array_equal(found.get_gt_labels(), expected.get_gt_labels())
    for position in range(len(expected)):
        assert found.get_cat_ids(position) == expected.get_cat_ids(position)
        sample, other = found[position], expected[position]
        assert sample.keys() == other.keys()
        assert all(np.array_equal(sample[key], other[key]) for key in sample)
        assert type(sample['gt_label']) is int


CHOICES = [5, 0, -3, [4, 1, 11], [7, 7], [-1, 0], (2, 3)]


@pytest.mark.parametrize('serialize_data', [True, False])
@pytest.mark.parametrize('indices', [None, *CHOICES])
def test_samples_and_labels_are_those_of_a_data_set_of_dicts(indices, serialize_data):
    found = LetterColumns(indices=indices, serialize_data=serialize_data)
    assert_same_samples(found, LetterRows(indices=indices, serialize_data=False))


@pytest.mark.parametrize('indices', CHOICES)
def test_subset_is_that_of_a_data_set_of_dicts_and_leaves_the_whole(indices):
    columns, rows = LetterColumns(), LetterRows(serialize_data=False)
    assert_same_samples(columns.get_subset(indices), rows.get_subset(indices))
    assert len(columns) == 12
    columns.get_subset_(indices)
    assert_same_samples(columns, rows.get_subset(indices))


def test_subset_of_a_subset_is_counted_from_the_first_subset():
    subset = LetterColumns(indices=[9, 8, 7, 6]).get_subset([1, 3])
    assert [subset[position]['letter'] for position in range(2)] == ['i', 'g']
    assert subset[1]['sample_idx'] == 1


def test_subset_has_settings_of_its_own_and_shares_the_columns():
    whole = LetterColumns(pipeline=[lambda data: data], classes=['a', 'b', 'c'])
    subset = whole.get_subset(3)
    subset.pipeline.transforms.clear()
    subset._metainfo['classes'] = ('x',)
    assert len(whole.pipeline.transforms) == 1
    assert whole.metainfo['classes'] == ('a', 'b', 'c')
    assert subset._columns is whole._columns


def test_position_below_zero_counts_from_the_end_and_one_too_large_raises():
    dataset = LetterColumns(indices=7)
    assert dataset[-1]['letter'] == 'g'
    assert dataset[-1]['sample_idx'] == 6
    assert dataset.get_cat_ids(-2) == [1]
    for position in (7, -8):
        with pytest.raises(IndexError):
            dataset[position]


@pytest.mark.parametrize('test_mode', [False, True])
def test_folds_are_those_of_a_data_set_of_dicts(test_mode):
    folds = [
        KFoldDataset(
            dict(type=f'mmdrl.{kind}', serialize_data=False), fold=1, num_splits=3, seed=3, test_mode=test_mode
        )
        for kind in ('LetterColumns', 'LetterRows')
    ]
    assert_same_samples(*folds)


def test_wrappers_of_mmengine_take_it():
    assert len(RepeatDataset(LetterColumns(), 3)) == 36
    balanced, expected = (ClassBalancedDataset(kind(), 0.9) for kind in (LetterColumns, LetterRows))
    assert balanced.repeat_indices == expected.repeat_indices


def test_lazy_set_is_read_once_at_first_use():
    LetterColumns.reads = 0
    dataset = LetterColumns(lazy_init=True, indices=3)
    assert LetterColumns.reads == 0
    assert dataset[2]['letter'] == 'c'
    assert len(dataset) == 3
    assert LetterColumns.reads == 1


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda dataset: pickle.loads(pickle.dumps(dataset))])
@pytest.mark.parametrize('indices', [None, [3, 1]])
def test_copy_gives_the_same_samples(duplicate, indices):
    dataset = LetterColumns(indices=indices)
    assert_same_samples(duplicate(dataset), dataset)


def test_samples_and_labels_cannot_change_the_data():
    dataset = LetterColumns()
    dataset[0]['img'][:] = 99
    assert dataset[0]['img'].tolist() == [0, 1]
    labels = dataset.get_gt_labels()
    with pytest.raises(ValueError, match='read-only'):
        labels[0] = 5


def without(*letters):
    """Pipeline that cannot give some letters."""
    return [lambda data: None if data['letter'] in letters else data]


def test_sample_that_fails_is_replaced_by_the_next_of_its_class():
    dataset = LetterColumns(pipeline=without('b', 'd', 'e', 'l'))
    letters = [dataset[position]['letter'] for position in range(12)]
    assert letters == list('ahcggfghijka')  # b is of class 2, d and e of class 0; l is its last
    assert [dataset[position]['gt_label'] for position in range(12)] == LABELS


def test_replacement_stays_in_the_subset():
    dataset = LetterColumns(indices=[0, 3, 1], pipeline=without('a'))
    assert dataset[0]['letter'] == 'd'


def test_class_that_fails_altogether_is_an_error():
    with pytest.raises(DataError, match='nothing for any image of class 2'):
        LetterColumns(pipeline=without('b', 'h'))[1]


def test_evaluation_replaces_nothing():
    with pytest.raises(DataError, match='image 1, and an evaluation must not leave any out'):
        LetterColumns(pipeline=without('b'), test_mode=True)[1]


def test_same_class_goes_round_once_from_the_next_on():
    assert list(same_class_after(np.array([0, 1, 0, 0, 1, 0]), 3)) == [5, 0, 2]
    assert list(same_class_after(np.array([0, 1, 0, 0, 1, 0]), -1)) == [0, 2, 3]
    assert list(same_class_after(np.array([0, 1]), 0)) == []


@pytest.mark.parametrize(
    ('indices', 'message'),
    [
        ([3, 12], r'positions of the 12 images, got 12 \(1 of 2 are outside\)'),
        ([-13], 'got -13'),
        ([True, False], 'list of positions'),
        ([0.5], 'list of positions'),
        (True, 'list of positions'),
        ('first', 'list of positions'),
    ],
)
def test_positions_that_are_none_are_refused(indices, message):
    with pytest.raises(ConfigError, match=message):
        LetterColumns(indices=indices)


def test_forgotten_columns_are_named():
    with pytest.raises(NotImplementedError, match=r'Empty must write load_columns\(\)'):
        type('Empty', (ColumnDataset,), {})(ann_file='')
