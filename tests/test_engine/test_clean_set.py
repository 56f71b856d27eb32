"""The training set without augmentation and repeats, as a copy that leaves the original alone."""

from pathlib import Path

import pytest
import torch
from mmengine.dataset import RepeatDataset
from torch.utils.data import ConcatDataset, Subset

from mmdrl.datasets import Digits, LongTailDataset
from mmdrl.datasets.labels import dataset_labels
from mmdrl.engine.clean_set import with_pipeline
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS


def test_pipeline_is_replaced_in_copies_through_every_wrapper() -> None:
    digits = Digits(pipeline=[dict(type='PackInputs')])
    tail = LongTailDataset(digits, imbalance_ratio=2, max_count=20)
    spare = sorted(set(range(len(digits))) - set(tail.indices.tolist()))[:2]
    wrapped = ConcatDataset([tail, Subset(RepeatDataset(digits, 2), [spare[0], len(digits) + spare[1]])])
    seen = with_pipeline(wrapped, lambda data: ('new', data['gt_label']))
    own = dataset_labels(digits)
    labels = [*dataset_labels(tail), *own[spare]]
    assert [seen[index] for index in range(len(seen))] == [('new', label) for label in labels]
    assert 'inputs' in wrapped[0]
    assert seen.datasets[0].dataset._columns is digits._columns  # annotations are not copied


def test_repeats_go_at_every_level_and_the_original_stays() -> None:
    digits = dict(type='mmdrl.Digits', pipeline=[dict(type='PackInputs')])
    tail = dict(type='mmdrl.LongTailDataset', dataset=digits, imbalance_ratio=2, max_count=20)
    rare = dict(type='ClassBalancedDataset', dataset=digits, oversample_thr=0.9)
    twice = dict(type='RepeatDataset', times=2, dataset=dict(type='RepeatDataset', times=2, dataset=rare))
    parts = [dict(type='RepeatDataset', times=3, dataset=tail), twice]
    both = dict(type='ConcatDataset', datasets=parts, ignore_keys=['class_counts'])
    live = DATASETS.build(dict(type='RepeatDataset', times=2, dataset=both))
    before = len(live)
    seen = with_pipeline(live, lambda data: (data['gt_label'], data['img'].tobytes()))
    images = [seen[index] for index in range(len(seen))]
    first = DATASETS.build(tail)
    assert len(images) == 1797 < before  # the images of the tail are among the digits
    assert [label for label, _ in images[: len(first)]] == first.get_gt_labels().tolist()
    everything = Digits()
    expected = [everything.get_data_info(index) for index in range(1797)]
    assert sorted(images) == sorted((data['gt_label'], data['img'].tobytes()) for data in expected)
    assert len(live) == before
    assert 'inputs' in live[0]


@pytest.mark.parametrize('wrapped', [False, True])
def test_next_image_of_the_class_stands_in_for_one_that_the_pipeline_refuses(wrapped: bool) -> None:
    digits = Digits(pipeline=[dict(type='PackInputs')])
    live = LongTailDataset(digits, imbalance_ratio=2, max_count=20) if wrapped else digits
    first, second = (dataset_labels(live) == 0).nonzero()[0][:2].tolist()
    refused = int(live.indices[first]) if wrapped else first
    seen = with_pipeline(live, lambda data: None if data['sample_idx'] == refused else data)
    expected = live.get_data_info(second)['sample_idx']
    assert seen[first]['sample_idx'] == seen[second]['sample_idx'] == expected
    assert not digits.test_mode
    assert 'inputs' in live[first]


def test_class_that_the_pipeline_refuses_is_an_error() -> None:
    seen = with_pipeline(Digits(), lambda data: None if data['gt_label'] == 0 else data)
    with pytest.raises(DataError, match='gave nothing for any image of class 0'):
        seen[0]


def test_data_set_that_would_draw_any_other_image_is_not_let(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('a.jpg 0\nb.jpg 1\n')
    live = DATASETS.build(dict(type='mmpretrain.CustomDataset', data_root=str(tmp_path), ann_file='list.txt'))
    seen = with_pipeline(live, lambda data: None if data['gt_label'] == 0 else data)
    with pytest.raises(Exception, match='should not get `None`'):
        seen[0]


def test_data_set_without_a_pipeline_is_refused() -> None:
    with pytest.raises(ConfigError, match='TensorDataset'):
        with_pipeline(torch.utils.data.TensorDataset(torch.zeros(3)), None)
