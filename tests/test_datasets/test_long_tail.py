"""LongTailDataset: the published selection rule, and a hold-out that cannot leak into the tail."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmpretrain.datasets import BaseDataset
from numpy.testing import assert_array_equal
from torch.utils.data import Subset

from mmdrl.datasets import LongTailDataset, dataset_labels
from mmdrl.datasets.long_tail.selection import shuffled_class_indices
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS


@DATASETS.register_module(force=True)
class NumberedRows(BaseDataset):
    """Rows with a label and their own number."""

    def __init__(self, labels, **kwargs):
        self.rows = [dict(gt_label=int(label), number=number) for number, label in enumerate(labels)]
        super().__init__(ann_file='', serialize_data=False, **kwargs)

    def load_data_list(self):
        return list(self.rows)


def shuffled_labels(num_classes: int, per_class: int, seed: int = 1) -> np.ndarray:
    labels = np.repeat(np.arange(num_classes), per_class)
    np.random.default_rng(seed).shuffle(labels)
    return labels


def published_selection(labels, counts, seed):
    """The selection loop of LDAM-DRW's imbalance_cifar.py, on NumPy's global stream."""
    state = np.random.get_state()
    np.random.seed(seed)
    selected = []
    for the_class, the_number in zip(np.unique(labels), counts, strict=True):
        idx = np.where(labels == the_class)[0]
        np.random.shuffle(idx)
        selected.extend(idx[:the_number])
    np.random.set_state(state)
    return selected


@pytest.mark.parametrize(('ratio', 'total'), [(100, 10847), (50, 12608), (10, 19573)])
def test_size_is_the_published_one_of_cifar100_lt(ratio, total):
    dataset = LongTailDataset(NumberedRows(shuffled_labels(100, 500)), ratio)
    assert len(dataset) == total
    assert (dataset.class_counts[0], dataset.class_counts[-1]) == (500, 500 // ratio)


@pytest.mark.parametrize(('ratio', 'seed'), [(100, 0), (10, 0), (20, 7)])
def test_indices_follow_the_published_rule_order_included(ratio, seed):
    labels = shuffled_labels(10, 300)
    dataset = LongTailDataset(NumberedRows(labels), ratio, seed=seed)
    counts = [int(300 * (1 / ratio) ** (label / 9.0)) for label in range(10)]
    assert_array_equal(dataset.indices, published_selection(labels, counts, seed))


def test_selection_leaves_the_global_random_stream_alone():
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    LongTailDataset(NumberedRows(shuffled_labels(3, 20)), 4)
    assert np.random.rand() == expected


@given(
    num_classes=st.integers(1, 6),
    spare=st.lists(st.integers(0, 9), min_size=6, max_size=6),
    held=st.integers(0, 5),
    ratio=st.floats(1, 5),
    profile=st.sampled_from(['exp', 'step', 'pareto']),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_parts_are_disjoint_and_have_their_counts(num_classes, spare, held, ratio, profile, seed):
    labels = np.repeat(np.arange(num_classes), [held + 5 + extra for extra in spare[:num_classes]])
    np.random.RandomState(seed).shuffle(labels)
    rows = NumberedRows(labels)
    arguments = dict(profile=profile, seed=seed, holdout_per_class=held)
    tail = LongTailDataset(rows, ratio, **arguments)
    assert_array_equal(np.bincount(labels[tail.indices], minlength=num_classes), tail.class_counts)
    assert len(set(tail.indices.tolist())) == len(tail.indices) == len(tail)
    assert tail.class_counts[0] == np.bincount(labels).min() - held
    if held:
        held_out = LongTailDataset(rows, ratio, **arguments, part='holdout')
        assert held_out.class_counts.tolist() == [held] * num_classes
        assert not set(held_out.indices.tolist()) & set(tail.indices.tolist())


def test_holdout_is_the_same_for_every_ratio_and_profile():
    rows = NumberedRows(shuffled_labels(5, 30))
    holdouts = [
        LongTailDataset(rows, ratio, profile, holdout_per_class=10, part='holdout').indices
        for ratio, profile in [(1, 'exp'), (20, 'exp'), (5, 'step')]
    ]
    assert_array_equal(holdouts[0], holdouts[1])
    assert_array_equal(holdouts[0], holdouts[2])


def test_smaller_tail_is_contained_in_a_larger_one():
    rows = NumberedRows(shuffled_labels(5, 30))
    large, small = (set(LongTailDataset(rows, ratio).indices.tolist()) for ratio in (2, 10))
    assert small < large


def test_seed_decides_the_images_but_not_the_counts():
    rows = NumberedRows(shuffled_labels(5, 30))
    first, second = (LongTailDataset(rows, 10, seed=seed) for seed in (0, 1))
    assert_array_equal(first.class_counts, second.class_counts)
    assert set(first.indices.tolist()) != set(second.indices.tolist())


def test_samples_are_those_of_the_wrapped_set():
    labels = shuffled_labels(4, 20)
    dataset = LongTailDataset(NumberedRows(labels), 5)
    for position, wrapped in enumerate(dataset.indices):
        assert dataset[position]['number'] == dataset.get_data_info(position)['number'] == wrapped
        assert dataset.get_cat_ids(position) == [labels[wrapped]]
    assert dataset[-1]['number'] == dataset.indices[-1]
    assert_array_equal(dataset.get_gt_labels(), labels[dataset.indices])
    assert_array_equal(dataset_labels(dataset), labels[dataset.indices])


def test_config_is_built_in_any_scope_and_max_count_caps_the_head():
    dataset = DATASETS.build(
        dict(
            type='mmdrl.LongTailDataset',
            dataset=dict(type='RepeatDataset', dataset=dict(type='mmdrl.NumberedRows', labels=[0, 1] * 9), times=2),
            imbalance_ratio=2,
            max_count=8,
        )
    )
    assert isinstance(dataset.dataset, RepeatDataset)
    assert dataset.class_counts.tolist() == [8, 4]
    assert dataset[0]['gt_label'] == 0


def test_metainfo_adds_the_counts_to_a_copy():
    rows = NumberedRows([0, 1] * 8, classes=['ant', 'bee'])
    dataset = LongTailDataset(rows, 4)
    assert dataset.metainfo == {'classes': ('ant', 'bee'), 'class_counts': [8, 2]}
    dataset.metainfo['class_counts'].clear()
    assert dataset.metainfo['class_counts'] == [8, 2]
    assert 'class_counts' not in rows.metainfo
    assert dataset.CLASSES == ('ant', 'bee')


def test_lazy_set_is_read_at_first_use():
    rows = NumberedRows([0, 1] * 8, lazy_init=True)
    dataset = LongTailDataset(rows, 4, lazy_init=True)
    assert not rows._fully_initialized
    assert len(dataset) == 10


def test_pipeline_belongs_to_the_wrapped_set():
    """MMPretrain's SwitchRecipeHook descends to `.dataset` unless the wrapper itself has a `pipeline`."""
    assert not hasattr(LongTailDataset(NumberedRows([0, 1] * 8), 4), 'pipeline')


def without(broken):
    """Pipeline that cannot give the rows of these numbers."""
    return [lambda row: None if row['number'] in broken else row]


WRAPS = {
    'plain': lambda rows: rows,
    'repeated': lambda rows: RepeatDataset(rows, 2),
    'joined': lambda rows: ConcatDataset([rows, rows]),
    'subset': lambda rows: Subset(rows, range(len(rows))),
    'long tail': lambda rows: LongTailDataset(rows, 1),
    'balanced, joined and repeated': lambda rows: torch.utils.data.ConcatDataset(
        [ClassBalancedDataset(rows, 0.9), Subset(RepeatDataset(rows, 3), [70, 2])]
    ),
}


@pytest.mark.parametrize('wrap', WRAPS.values(), ids=WRAPS)
def test_sample_that_fails_is_replaced_by_the_next_of_its_class_and_part(wrap):
    labels = shuffled_labels(3, 20)
    arguments = dict(imbalance_ratio=4, holdout_per_class=5)
    numbers = [row['number'] for row in LongTailDataset(wrap(NumberedRows(labels)), **arguments)]
    of_class = {label: [number for number in numbers if labels[number] == label] for label in range(3)}
    broken = {of_class[0][1], of_class[0][2], of_class[1][-1]}
    part = LongTailDataset(wrap(NumberedRows(labels, pipeline=without(broken))), **arguments)
    expected = [*numbers]
    expected[1] = expected[2] = of_class[0][3]
    expected[len(of_class[0]) + len(of_class[1]) - 1] = of_class[1][0]
    assert [part[position]['number'] for position in range(len(part))] == expected
    assert part[1 - len(part)]['number'] == expected[1]


@pytest.mark.parametrize('wrap', WRAPS.values(), ids=WRAPS)
def test_class_that_fails_altogether_is_an_error_although_others_are_there(wrap):
    labels = shuffled_labels(3, 20)
    tail = LongTailDataset(wrap(NumberedRows(labels)), 4, holdout_per_class=5)
    broken = {row['number'] for row in tail if row['gt_label'] == 1}
    part = LongTailDataset(wrap(NumberedRows(labels, pipeline=without(broken))), 4, holdout_per_class=5)
    with pytest.raises(DataError, match="nothing for any image of class 1 in part 'train'"):
        part[int(np.flatnonzero(part.get_gt_labels() == 1)[0])]


def test_evaluation_replaces_nothing():
    rows = NumberedRows([0, 1] * 8, pipeline=[lambda row: None], test_mode=True)
    with pytest.raises(Exception, match='None'):
        LongTailDataset(RepeatDataset(rows, 2), 4)[0]


@pytest.mark.parametrize('wrap', WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize('part', ['train', 'holdout'])
def test_image_that_the_wrapped_set_repeats_is_there_once(wrap, part):
    labels = shuffled_labels(3, 20)
    arguments = dict(imbalance_ratio=4, holdout_per_class=5, part=part)
    plain = LongTailDataset(NumberedRows(labels), **arguments)
    wrapped = LongTailDataset(wrap(NumberedRows(labels)), **arguments)
    numbers = [row['number'] for row in wrapped]
    assert len(numbers) == len(set(numbers)) == len(plain)
    assert wrapped.class_counts.tolist() == plain.class_counts.tolist()


@pytest.mark.parametrize('wrap', WRAPS.values(), ids=WRAPS)
def test_holdout_shares_no_image_with_the_tail_through_wrappers(wrap):
    rows = wrap(NumberedRows(shuffled_labels(3, 20)))
    tail, held = (
        {row['number'] for row in LongTailDataset(rows, 2, holdout_per_class=8, part=part)}
        for part in ('train', 'holdout')
    )
    assert len(held) == 24
    assert not tail & held


@pytest.mark.parametrize('kind', [ConcatDataset, torch.utils.data.ConcatDataset])
def test_samples_of_joined_sets_come_from_their_own_set(kind):
    sets = [NumberedRows([0, 1, 1, 0]), NumberedRows([1, 0, 0, 1, 1, 0]), NumberedRows([0, 1])]
    joined = kind(sets)
    dataset = LongTailDataset(joined, 1)
    assert sorted(dataset.indices.tolist()) == list(range(12))
    for position, wrapped in enumerate(dataset.indices.tolist()):
        assert dataset[position]['number'] == dataset.get_data_info(position)['number'] == joined[wrapped]['number']


def test_folds_are_thinned():
    fold = dict(type='KFoldDataset', num_splits=4, dataset=dict(type='mmdrl.NumberedRows', labels=[0, 1] * 16))
    dataset = LongTailDataset(fold, 3)
    assert dataset.class_counts.tolist() == [12, 4]
    assert {row['number'] for row in dataset} <= set(range(8, 32))


def test_wrapped_set_without_meta_information_of_its_own_shows_that_behind_it():
    rows = NumberedRows([0, 1, 2] * 8, classes=['a', 'b', 'c'])
    assert LongTailDataset(Subset(rows, range(24)), 2).CLASSES == ('a', 'b', 'c')
    both = torch.utils.data.ConcatDataset([rows, NumberedRows([0] * 3, classes=['a', 'b', 'c'])])
    assert LongTailDataset(both, 2).metainfo == {'classes': ('a', 'b', 'c'), 'class_counts': [8, 5, 4]}


@pytest.mark.parametrize('kind', ['RepeatDataset', 'ClassBalancedDataset'])
def test_names_that_are_read_after_the_wrapper_was_built_are_shown(tmp_path, kind):
    np.savez(tmp_path / 'x.npz', images=np.zeros((8, 1, 1), np.uint8), labels=[0, 1] * 4, class_names=['ant', 'bee'])
    rows = dict(type='mmdrl.ArrayDataset', data_file=str(tmp_path / 'x.npz'), lazy_init=True)
    setting = dict(times=2) if kind == 'RepeatDataset' else dict(oversample_thr=0.1)
    assert LongTailDataset(dict(type=kind, dataset=rows, lazy_init=True, **setting), 2).CLASSES == ('ant', 'bee')


def test_long_tail_is_split_into_folds():
    tail = dict(
        type='mmdrl.LongTailDataset', dataset=dict(type='mmdrl.NumberedRows', labels=[0, 1] * 16), imbalance_ratio=8
    )
    folds = [
        DATASETS.build(dict(type='KFoldDataset', dataset=tail, fold=fold, num_splits=3, seed=0, test_mode=True))
        for fold in range(3)
    ]
    whole = DATASETS.build(tail)
    assert [len(fold) for fold in folds] == [6, 6, 6]
    assert sorted(row['number'] for fold in folds for row in fold) == sorted(row['number'] for row in whole)
    assert sum(fold.dataset.class_counts for fold in folds).tolist() == whole.class_counts.tolist() == [16, 2]
    for fold in folds:
        assert dataset_labels(fold).tolist() == [row['gt_label'] for row in fold]
        assert 'Largest and smallest' in repr(fold.dataset)


def test_first_passes_over_images_of_the_same_shuffle():
    labels = shuffled_labels(3, 12)
    whole = shuffled_class_indices(labels, np.array([12, 12, 12]), seed=3).reshape(3, 12)
    assert_array_equal(
        shuffled_class_indices(labels, np.array([2, 3, 0]), 3, first=4), [*whole[0, 4:6], *whole[1, 4:7]]
    )


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(imbalance_ratio=0.01), ConfigError, 'at least 1, got 0.01'),
        (dict(imbalance_ratio=float('nan')), ConfigError, 'at least 1, got nan'),
        (dict(imbalance_ratio=2, profile='linear'), ConfigError, "profile must be one of .*'linear'"),
        (dict(imbalance_ratio=2, part='val'), ConfigError, "part must be one of .*'val'"),
        (dict(imbalance_ratio=2, part='holdout'), ConfigError, "at least 1 for part='holdout', got 0"),
        (dict(imbalance_ratio=2, holdout_per_class=-1), ConfigError, 'holdout_per_class .* at least 0, got -1'),
        (dict(imbalance_ratio=2, holdout_per_class=True), ConfigError, 'holdout_per_class .* got True'),
        (dict(imbalance_ratio=2, holdout_per_class=1.5), ConfigError, 'holdout_per_class .* got 1.5'),
        (dict(imbalance_ratio=2, max_count=0), ConfigError, 'max_count .* at least 1, got 0'),
        (dict(imbalance_ratio=2, max_count=5.0), ConfigError, 'max_count .* got 5.0'),
        (dict(imbalance_ratio=2, seed=-1), ConfigError, 'seed .* at least 0, got -1'),
        (dict(imbalance_ratio=2, seed=2**32), ConfigError, r'seed must be below 2\*\*32, got 4294967296'),
        (dict(imbalance_ratio=2, seed=None), ConfigError, 'seed .* got None'),
        (dict(imbalance_ratio=True), ConfigError, 'at least 1, got True'),
        (dict(imbalance_ratio='100'), ConfigError, 'at least 1, got 100'),
        (dict(imbalance_ratio=float('inf')), ConfigError, 'at least 1, got inf'),
        (dict(), ConfigError, 'needs imbalance_ratio or indices_file, got neither'),
        (dict(imbalance_ratio=2, indices_key='x'), ConfigError, 'indices_file, which is missing'),
        (dict(imbalance_ratio=2, class_order='name'), ConfigError, "'label', 'size' or a list .* 'name'"),
        (dict(imbalance_ratio=2, class_order=3), ConfigError, "'label', 'size' or a list .* got 3"),
        (dict(imbalance_ratio=2, class_order=[0, True, 2]), ConfigError, "'label', 'size' or a list"),
        (dict(imbalance_ratio=2, class_order=np.array([2, 1, 0])), ConfigError, "'label', 'size' or a list"),
        (dict(imbalance_ratio=2, class_order=[0, 1]), ConfigError, r'labels 0 to 2 once.*got \[0, 1\]'),
        (dict(imbalance_ratio=2, class_order=[1, 1, 2]), ConfigError, r'labels 0 to 2 once.*got \[1, 1, 2\]'),
        (dict(imbalance_ratio=2, class_order=[1, 2, 3]), ConfigError, r'labels 0 to 2 once.*got \[1, 2, 3\]'),
        (dict(imbalance_ratio=100), ConfigError, 'long tail cannot be cut'),
        (dict(imbalance_ratio=1, max_count=9), DataError, 'Class 1 has 7 images, but 9 are needed'),
        (dict(imbalance_ratio=2, holdout_per_class=7), DataError, 'Class 1 has 7 images, but 8 are needed'),
        (
            dict(imbalance_ratio=2, holdout_per_class=8, part='holdout'),
            DataError,
            'Class 1 has 7 .* 8 are needed',
        ),
    ],
)
def test_what_cannot_be_cut_is_refused(arguments, error, message):
    rows = NumberedRows([0] * 10 + [1] * 7 + [2] * 9)
    with pytest.raises(error, match=message):
        LongTailDataset(rows, **arguments)


def test_class_without_an_image_is_refused():
    with pytest.raises(DataError, match='Class 2 has 0 images, but 1 are needed'):
        LongTailDataset(NumberedRows([0, 1] * 5, classes=['a', 'b', 'c']), 2)


def test_label_that_is_no_class_costs_no_memory():
    with pytest.raises(DataError, match='NumberedRows has 1000000000000 classes but 10 images'):
        LongTailDataset(NumberedRows([0, 1] * 4 + [0, 10**12 - 1]), 2)


def test_labels_beyond_the_named_classes_are_refused():
    with pytest.raises(DataError, match=r'NumberedRows must be in \[0, 2\), got 3'):
        LongTailDataset(NumberedRows([0, 1, 3], classes=['a', 'b']), 1)


@pytest.mark.parametrize(
    ('class_order', 'counts'),
    [('label', [8, 4, 2]), ('size', [4, 2, 8]), ([1, 2, 0], [2, 8, 4]), ((2, 0, 1), [4, 2, 8])],
)
def test_order_of_the_classes_is_by_label_by_size_or_as_given(class_order, counts):
    """Of 9, 8 and 12 images the third class is the largest, and the second the smallest."""
    rows = NumberedRows(np.repeat([0, 1, 2], [9, 8, 12]))
    dataset = LongTailDataset(rows, 4, class_order=class_order)
    assert dataset.class_counts.tolist() == counts
    assert dataset.get_gt_labels().tolist() == sorted(dataset.get_gt_labels())


def test_classes_of_one_size_keep_the_order_of_their_labels():
    rows = NumberedRows(shuffled_labels(5, 16))
    assert_array_equal(LongTailDataset(rows, 4, class_order='size').indices, LongTailDataset(rows, 4).indices)


def test_order_of_the_classes_leaves_the_holdout_as_it_is():
    rows = NumberedRows(shuffled_labels(3, 16))
    arguments = dict(imbalance_ratio=2, holdout_per_class=4, part='holdout')
    assert_array_equal(
        LongTailDataset(rows, **arguments, class_order=[2, 0, 1]).indices, LongTailDataset(rows, **arguments).indices
    )


def test_it_reports_counts_ratio_and_shot_groups():
    rows = NumberedRows(shuffled_labels(4, 120), classes=list('abcd'))
    dataset = LongTailDataset(rows, 30, holdout_per_class=10)
    assert dataset.class_counts.tolist() == [110, 35, 11, 3]  # 110 * 30 ** (-c / 3) = 110, 35.4, 11.4, 3.67
    assert dataset.actual_imbalance_ratio == 110 / 3
    groups = {name: mask.tolist() for name, mask in dataset.shot_groups(many=50, few=10).items()}
    assert groups == {
        'many': [True, False, False, False],
        'medium': [False, True, True, False],
        'few': [False, False, False, True],
    }
    text = repr(dataset)
    for words in ('train of NumberedRows', '110 and 3, ratio 36.6667', '1 / 1 / 2', '10 of every class'):
        assert words in text


def test_it_can_be_shown_before_it_is_read():
    dataset = LongTailDataset(NumberedRows([0, 1] * 8, lazy_init=True), 4, lazy_init=True)
    assert "Haven't been initialized" in repr(dataset)
    assert dataset.actual_imbalance_ratio == 4


def test_pipeline_of_the_wrapper_is_that_of_the_set_inside() -> None:
    digits = dict(type='mmdrl.Digits')
    tail = LongTailDataset(digits, imbalance_ratio=2, max_count=20, pipeline=[dict(type='PackInputs')])
    assert 'inputs' in tail[0]
    with pytest.raises(ConfigError, match='one that wraps no other'):
        LongTailDataset(dict(type='RepeatDataset', times=2, dataset=digits), imbalance_ratio=2, pipeline=[])


def test_hold_out_alone_needs_no_ratio() -> None:
    digits = dict(type='mmdrl.Digits')
    alone = LongTailDataset(digits, holdout_per_class=20, part='holdout')
    beside = LongTailDataset(digits, holdout_per_class=20, part='holdout', imbalance_ratio=5)
    assert (alone.indices == beside.indices).all()
