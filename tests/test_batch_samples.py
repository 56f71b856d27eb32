"""BatchSamples: a list of data samples to who asks for one, a few tensors to everything else."""

import copy
import pickle
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.model import BaseDataPreprocessor
from mmpretrain.models import ClsDataPreprocessor, LinearClsHead
from mmpretrain.structures import DataSample
from torch.testing import assert_close
from torch.utils.data._utils.pin_memory import pin_memory

from mmdrl.batch_samples import BatchSamples

LABELS = [3, 0, 0, 7, 1]


def make(**fields: Any) -> BatchSamples:
    return BatchSamples(torch.tensor(LABELS), torch.arange(10, 15), torch.arange(5) - 2, **fields)


def ordinary() -> list[DataSample]:
    return [DataSample(metainfo=dict(sample_idx=10 + i)).set_gt_label(label) for i, label in enumerate(LABELS)]


def assert_same(found: Any, expected: Any) -> None:
    assert len(found) == len(expected)
    for sample, other in zip(found, expected, strict=True):
        assert type(sample) is type(other)
        assert sample.metainfo == other.metainfo
        assert sample.keys() == other.keys()
        assert all(torch.equal(sample.get(key), value) for key, value in other.items())


@pytest.mark.host
def test_samples_are_those_of_mmpretrain() -> None:
    samples = make()
    assert_same(samples, ordinary())
    assert_same(samples[1:3], ordinary()[1:3])
    assert_same([samples[-1]], ordinary()[-1:])
    assert samples[0] is samples[0] is next(iter(samples))  # made once
    with pytest.raises(IndexError):
        samples[5]


def test_scores_and_shared_metainfo_are_in_the_samples() -> None:
    scores = torch.eye(8)[LABELS]
    samples = make(scores=scores, metainfo=dict(img_shape=(8, 8)))
    expected = ordinary()
    for sample, score in zip(expected, scores, strict=True):
        sample.set_gt_score(score).set_metainfo(dict(img_shape=(8, 8)))
    assert_same(samples, expected)


def test_it_is_no_list_to_pinning_and_casting() -> None:
    """Both go through what is a Sequence, sample by sample."""
    samples = make()
    assert not isinstance(samples, (Sequence, list))
    assert BaseDataPreprocessor().cast_data({'data_samples': samples})['data_samples'] is samples


def test_pinning_takes_its_tensors_and_makes_no_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = []
    monkeypatch.setattr(torch.Tensor, 'pin_memory', lambda tensor, *_: (pinned.append(len(tensor)), tensor.clone())[1])
    monkeypatch.setattr(DataSample, '__init__', pytest.fail)
    given = {'inputs': torch.zeros(5, 1, 2, 2), 'data_samples': make()}
    batch = pin_memory(given)
    assert pinned == [5, 5, 5]  # images, labels, seeds
    found = batch['data_samples']
    assert (found.labels.tolist(), found.seeds.tolist()) == (LABELS, [-2, -1, 0, 1, 2])
    assert found.labels is not given['data_samples'].labels


@pytest.mark.parametrize('dumps', [pickle.dumps, ForkingPickler.dumps])
def test_pickle_holds_tensors_and_no_object_per_image(dumps: Any) -> None:
    def size(images: int) -> int:
        numbers = torch.arange(images)
        return len(dumps(BatchSamples(numbers, numbers, numbers)))

    assert size(1001) - size(1) < 1000 * 3 * 8 + 50  # three numbers of eight bytes each
    found = pickle.loads(dumps(make(scores=torch.eye(8)[LABELS])))
    assert_same(found, make(scores=torch.eye(8)[LABELS])[:])
    assert found.seeds.dtype == torch.int64


def test_copy_is_independent() -> None:
    samples = make()
    copied = copy.deepcopy(samples)
    copied.labels[0] = 9
    assert samples.labels.tolist() == LABELS
    assert copied.labels.tolist() == [9, *LABELS[1:]]


def test_tensors_follow_samples_that_were_changed() -> None:
    samples = make()
    for sample in samples:
        sample.set_gt_label(5).set_gt_score(torch.eye(8)[5])
    for found in (samples, samples.to('cpu'), pickle.loads(pickle.dumps(samples))):
        assert found.labels.tolist() == [5] * 5
        assert torch.equal(found.scores, torch.eye(8)[[5] * 5])


def test_replaced_labels_are_in_the_samples_and_the_rest_stays() -> None:
    samples = make(metainfo=dict(img_shape=(8, 8)))
    samples[0].set_pred_label(1)
    found = samples.replaced(labels=torch.arange(5))
    assert [sample.gt_label.item() for sample in found] == [0, 1, 2, 3, 4]
    assert found[0].pred_label.item() == 1
    assert samples.labels.tolist() == LABELS
    assert found.seeds is samples.seeds
    assert found[4].img_shape == (8, 8)


def test_device_gets_labels_and_scores_only() -> None:
    found = make(scores=torch.eye(8)[LABELS]).to('meta', non_blocking=True)
    assert found.labels.device.type == found.scores.device.type == 'meta'
    assert found.seeds.device.type == found.sample_idx.device.type == 'cpu'
    assert found[2].sample_idx == 12


def test_what_ordinary_samples_say_beside_is_kept() -> None:
    given = ordinary()
    for sample in given:
        sample.set_field('a.png', 'img_path', field_type='metainfo')
    samples = BatchSamples(torch.tensor(LABELS) + 1, samples=given)
    assert [sample.gt_label.item() for sample in samples] == [label + 1 for label in LABELS]
    assert {sample.img_path for sample in samples} == {'a.png'}
    assert given[0].gt_label.item() == LABELS[0]


def test_batch_without_labels_has_none() -> None:
    samples = BatchSamples(None, torch.arange(3))
    assert samples.labels is samples.scores is None
    assert 'gt_label' not in samples[0]
    assert len(BatchSamples(None)) == 0
    assert list(BatchSamples(None)) == []


@pytest.mark.host
@pytest.mark.parametrize('augments', [None, dict(augments=dict(type='Mixup', alpha=0.8))])
def test_preprocessor_and_head_of_mmpretrain_take_it(augments: dict | None) -> None:
    def loss(samples: Any) -> torch.Tensor:
        preprocessor = ClsDataPreprocessor(mean=[1.0], std=[2.0], num_classes=8, batch_augments=augments)
        torch.manual_seed(0)
        images = torch.arange(20.0).reshape(5, 1, 2, 2)
        head = LinearClsHead(num_classes=8, in_channels=4)
        with torch.random.fork_rng():
            batch = preprocessor(dict(inputs=images, data_samples=samples), training=True)
        assert head.predict((batch['inputs'].flatten(1),), batch['data_samples'])[0].pred_label.numel() == 1
        return head.loss((batch['inputs'].flatten(1),), batch['data_samples'])['loss']

    found = []
    for samples in (make(), ordinary()):
        np.random.seed(0)
        found.append(loss(samples))
    assert_close(*found, rtol=0, atol=0)
