"""The preprocessor of whole batches: the numbers of MMPretrain's, and what it does to images and labels besides."""

import pickle
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.testing import assert_close

from mmdrl.batch_samples import BatchSamples
from mmdrl.errors import ConfigError
from mmdrl.functional import normalized_images
from mmdrl.models import BatchDataPreprocessor, RemixDataPreprocessor
from mmdrl.models.preprocessors import batch_preprocessor
from mmdrl.registry import MODELS

B, K = 8, 5
STATISTICS = dict(mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
FLIP = [dict(type='mmdrl.BatchFlip', prob=1.0)]
LABELS = torch.arange(B) % K


def make(**settings: Any) -> BatchDataPreprocessor:
    return MODELS.build(dict(type='mmdrl.BatchDataPreprocessor', **settings))


def images(channels: int = 3, height: int = 10, width: int = 7) -> Tensor:
    """Every value of a pixel, as whole batches have them: channels side by side."""
    pixels = np.random.default_rng(0).integers(0, 256, (B, height, width, channels), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def whole(pixels: Tensor | None = None, **fields: Any) -> dict[str, Any]:
    """A batch of ``mmdrl.collate_images``."""
    samples = BatchSamples(LABELS.clone(), torch.arange(B), torch.arange(B) * 7919 + 1, **fields)
    return dict(inputs=images() if pixels is None else pixels, data_samples=samples)


def listed(pixels: Tensor | None = None) -> dict[str, Any]:
    """A batch of MMEngine's ``pseudo_collate``."""
    pixels = images() if pixels is None else pixels
    return dict(
        inputs=[each.contiguous() for each in pixels],
        data_samples=[DataSample().set_gt_label(int(label)) for label in LABELS],
    )


@pytest.mark.parametrize(
    ('channels', 'settings'),
    [
        (3, dict(STATISTICS, to_rgb=True)),
        (3, STATISTICS),
        (3, dict(to_rgb=True)),
        (3, dict(mean=[127], std=[2])),
        (1, dict(mean=[127.5], std=[3.0], to_rgb=True)),
        (4, dict(to_rgb=True)),
        (3, dict(STATISTICS, pad_size_divisor=8, pad_value=3)),
    ],
)
@pytest.mark.host
@pytest.mark.parametrize('training', [False, True])
def test_images_come_out_to_the_last_bit_as_from_mmpretrain(channels: int, settings: dict, training: bool) -> None:
    pixels = images(channels)
    expected = ClsDataPreprocessor(**settings)(listed(pixels), training)['inputs']
    for batch in (whole(pixels), listed(pixels), dict(whole(pixels), data_samples=None)):
        for channels_last in (False, True):
            found = make(**settings, channels_last=channels_last)(batch, training)['inputs']
            assert torch.equal(found, expected)
            order = torch.channels_last if channels_last else torch.contiguous_format
            assert found.is_contiguous(memory_format=order)
    assert torch.equal(pixels, images(channels))  # not written to


@pytest.mark.host
def test_mmpretrains_own_takes_whole_batches_too() -> None:
    settings = dict(STATISTICS, to_rgb=True, num_classes=K, to_onehot=True)
    batch = ClsDataPreprocessor(**settings)(whole(), True)
    assert torch.equal(batch['inputs'], make(**settings)(whole(), True)['inputs'])
    assert [int(sample.gt_label) for sample in batch['data_samples']] == LABELS.tolist()
    assert torch.equal(batch['data_samples'].scores.float(), torch.eye(K)[LABELS])


def test_images_are_augmented_in_training_only_and_before_they_are_normalised() -> None:
    preprocessor, pixels = make(augments=FLIP, to_rgb=True, **STATISTICS), images()
    plain = make(to_rgb=True, **STATISTICS)
    assert torch.equal(preprocessor(whole(), False)['inputs'], plain(whole())['inputs'])
    for batch in (whole, listed):
        assert torch.equal(preprocessor(batch(), True)['inputs'], plain(whole(pixels.flip(3)))['inputs'])


def test_an_image_is_augmented_by_its_seed_alone() -> None:
    steps = [dict(type='mmdrl.BatchCrop', size=7, padding=2), dict(type='mmdrl.BatchFlip', prob=0.5)]
    preprocessor, batch = make(augments=steps), whole()
    alone = preprocessor(batch, True)['inputs']
    np.random.seed(3)  # of no account
    order = torch.randperm(B)
    samples = batch['data_samples']
    other = BatchSamples(samples.labels[order], samples.sample_idx[order], samples.seeds[order])
    mixed_up = preprocessor(dict(inputs=batch['inputs'][order], data_samples=other), True)['inputs']
    assert torch.equal(mixed_up, alone[order])
    assert len({str(alone[row].tolist()) for row in range(B)}) == B


def test_without_seeds_they_are_drawn_from_the_generator_that_loops_seed() -> None:
    steps = [dict(type='mmdrl.BatchCrop', size=7, padding=4)]
    preprocessor, results = make(augments=steps), []
    for seed in (1, 2, 1):
        np.random.seed(seed)
        results.append(preprocessor(listed(), True)['inputs'])
    assert torch.equal(results[0], results[2])
    assert not torch.equal(results[0], results[1])


def test_processes_that_are_seeded_alike_draw_other_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for rank in range(2):
        monkeypatch.setattr(batch_preprocessor, 'get_dist_info', lambda rank=rank: (rank, 2))
        np.random.seed(1)
        results.append(make(augments=[dict(type='mmdrl.BatchCrop', size=7, padding=4)])(listed(), True)['inputs'])
    assert not any(torch.equal(*pair) for pair in zip(*results, strict=True))


def test_labels_become_scores_without_an_object_per_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DataSample, '__init__', pytest.fail)
    batch = make(num_classes=K, to_onehot=True)(whole(), True)
    assert torch.equal(batch['data_samples'].scores.float(), torch.eye(K)[LABELS])
    assert torch.equal(batch['data_samples'].labels, LABELS)
    assert make()(whole(), True)['data_samples'].scores is None


@pytest.mark.host
@pytest.mark.parametrize('augment', [dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)])
def test_whole_batches_are_mixed_by_the_very_numbers_of_lists(augment: dict) -> None:
    settings = dict(STATISTICS, num_classes=K, batch_augments=dict(augments=[augment]))
    results = []
    for preprocessor, batch in (
        (ClsDataPreprocessor(**deepcopy(settings)), listed()),
        (make(**deepcopy(settings)), whole()),
    ):
        np.random.seed(4)
        torch.manual_seed(4)
        results.append(preprocessor(batch, True))
    assert_close(results[0]['inputs'], results[1]['inputs'])
    expected = torch.stack([sample.gt_score for sample in results[0]['data_samples']])
    assert_close(results[1]['data_samples'].scores, expected)
    assert [sample.gt_label.item() for sample in results[1]['data_samples']] == LABELS.tolist()
    tested = make(**deepcopy(settings))(whole(), False)['data_samples']
    assert torch.equal(tested.scores.float(), torch.eye(K)[LABELS])


def test_remix_takes_whole_batches_and_augments_them() -> None:
    preprocessor = MODELS.build(dict(type='mmdrl.RemixDataPreprocessor', num_classes=K, augments=FLIP))
    assert isinstance(preprocessor, RemixDataPreprocessor)
    preprocessor.set_class_counts([90, 30, 9, 3, 1])
    np.random.seed(4)
    torch.manual_seed(4)
    found = preprocessor(whole(), True)
    share = np.random.RandomState(4).beta(1, 1)
    torch.manual_seed(4)
    flipped = images().flip(3).float()
    assert_close(found['inputs'], share * flipped + (1 - share) * flipped[torch.randperm(B)])
    assert found['data_samples'].scores.sum(1).tolist() == pytest.approx([1.0] * B)
    with pytest.raises(ConfigError, match=r'gt_score.*BalancedMixup'):
        preprocessor(whole(scores=torch.eye(K)[LABELS]), True)


@pytest.mark.parametrize('copied', [deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copy_augments_alike(copied: Any) -> None:
    preprocessor = make(augments=FLIP)
    assert torch.equal(copied(preprocessor)(whole(), True)['inputs'], images().flip(3).float())
    assert not preprocessor.state_dict()


def test_normalising_reads_nothing_from_the_device() -> None:
    mean = torch.ones(3, 1, 1, device='meta')
    found = normalized_images(images().to('meta'), mean, mean, swap_channels=True, channels_last=True)
    assert (found.shape, found.dtype) == (images().shape, torch.float32)


@pytest.mark.parametrize(
    ('pixels', 'words'),
    [
        (images().float(), r'uint8.*got float32 of shape \(8, 3, 10, 7\)'),
        ([images()[0], images(height=9)[0]], r'one size, got images of sizes \(3, 10, 7\), \(3, 9, 7\)\.'),
        (list(images().float()), 'got float32'),
    ],
)
def test_what_cannot_be_augmented_as_a_batch_is_told(pixels: Any, words: str) -> None:
    batch = dict(inputs=pixels, data_samples=listed()['data_samples'][: len(pixels)])
    with pytest.raises(ConfigError, match=f'data_preprocessor.augments.*{words}.*augments=None'):
        make(augments=FLIP)(batch, True)
    make(augments=FLIP)(batch, False)


def test_scores_without_the_number_of_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r'number of classes.*data_preprocessor=dict\(num_classes'):
        make(to_onehot=True)(whole())


def test_steps_that_do_not_exist_are_refused() -> None:
    with pytest.raises((ConfigError, KeyError), match='BatchTurn'):
        make(augments=[dict(type='mmdrl.BatchTurn')])


def test_compiled_step_gets_the_pixels_of_an_eager_one() -> None:
    steps = [
        dict(type='mmdrl.BatchCrop', size=8, padding=2),
        dict(type='mmdrl.BatchFlip', prob=0.5),
        dict(type='mmdrl.BatchAutoAugment', policy='cifar10'),
        dict(type='mmdrl.BatchCutout', length=4),
    ]
    preprocessor = make(augments=steps, **STATISTICS, to_rgb=True)
    compiled = torch.compile(lambda batch: preprocessor(batch, True)['inputs'] * 2, backend='aot_eager')
    pixels = images(3, 12, 12)
    assert_close(compiled(whole(pixels)), preprocessor(whole(pixels), True)['inputs'] * 2, rtol=0, atol=1e-6)
