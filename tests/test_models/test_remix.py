"""Remix in the data preprocessor: images as mixup, labels by the rule, and what it asks for."""

import pickle
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmdrl.errors import ConfigError
from mmdrl.functional import remix_weights
from mmdrl.models import RemixDataPreprocessor
from mmdrl.registry import MODELS

COUNTS = [90, 9, 1]
LABELS = [0, 1, 2, 0, 1, 2, 0, 0]


def make(**settings: Any) -> RemixDataPreprocessor:
    preprocessor = MODELS.build(dict(type='mmdrl.RemixDataPreprocessor', num_classes=3, **settings))
    preprocessor.set_class_counts(COUNTS)
    return preprocessor


def batch(**fields: Any) -> dict[str, Any]:
    """Images whose first pixel is their position; all others are 0."""
    images = torch.zeros(8, 3, 2, 2, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.arange(8)
    return dict(inputs=list(images), data_samples=[DataSample(**fields).set_gt_label(label) for label in LABELS])


def seed(value: int) -> None:
    np.random.seed(value)
    torch.manual_seed(value)


@pytest.mark.parametrize('value', range(8))
@pytest.mark.parametrize(('kappa', 'tau'), [(3.0, 0.5), (20.0, 0.9)])
def test_batch_is_mixed_with_one_share_and_labels_by_the_rule(value: int, kappa: float, tau: float) -> None:
    preprocessor = make(kappa=kappa, tau=tau)
    seed(value)
    mixed = preprocessor(batch(), training=True)
    seed(value)
    share, other = np.random.beta(1.0, 1.0), torch.randperm(8)
    assert_close(mixed['inputs'][:, 0, 0, 0], share * torch.arange(8) + (1 - share) * other)
    labels = torch.tensor(LABELS)
    counts = torch.tensor(COUNTS)[labels]
    weight = remix_weights(share, counts, counts[other], kappa, tau)
    expected = torch.zeros(8, 3)
    for row in range(8):
        expected[row, labels[row]] += weight[row]
        expected[row, labels[other[row]]] += 1 - weight[row]
    assert_close(torch.stack([sample.gt_score for sample in mixed['data_samples']]), expected)


def test_share_follows_the_beta_distribution() -> None:
    """Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2a + 1))."""
    preprocessor = make(alpha=0.4, tau=0.0)
    seed(0)
    scores = torch.eye(3)[LABELS]
    images = torch.ones(8, 1, 1, 1) * torch.arange(8)[:, None, None, None]
    shares = []
    while len(shares) < 2000:
        state = torch.get_rng_state()
        mixed, _ = preprocessor.remix(images, scores)
        torch.set_rng_state(state)
        other = torch.randperm(8)
        row = int((other != torch.arange(8)).nonzero()[0])
        shares.append((float(mixed[row]) - other[row]) / (row - other[row]))
    shares = np.array(shares)
    assert abs(shares.mean() - 0.5) < 0.03
    assert abs(shares.var() - 1 / (4 * 1.8)) < 0.01


def test_without_a_label_to_give_away_it_is_mixup() -> None:
    """The very numbers of MMPretrain's mixup from the same seed."""
    mixup = dict(type='ClsDataPreprocessor', num_classes=3, batch_augments=dict(augments=dict(type='Mixup', alpha=0.8)))
    results = []
    for preprocessor in (make(alpha=0.8, tau=0.0), MODELS.build(mixup)):
        seed(5)
        np.random.choice(1) if isinstance(preprocessor, RemixDataPreprocessor) else None
        results.append(preprocessor(batch(), training=True))
    assert_close(results[0]['inputs'], results[1]['inputs'])
    scores = [torch.stack([s.gt_score for s in result['data_samples']]) for result in results]
    assert_close(scores[0], scores[1])


def test_evaluation_is_not_mixed_and_images_are_normalised_as_ever() -> None:
    settings = dict(mean=[1.0, 2.0, 3.0], std=[2.0, 2.0, 2.0], to_rgb=True)
    plain = MODELS.build(dict(type='ClsDataPreprocessor', **settings))
    assert torch.equal(make(**settings)(batch())['inputs'], plain(batch())['inputs'])


def test_a_stage_can_switch_it_off_and_on_again() -> None:
    preprocessor = make()
    augments = preprocessor.batch_augments
    preprocessor.batch_augments, preprocessor.to_onehot = None, False
    plain = preprocessor(batch(), training=True)
    assert plain['inputs'][:, 0, 0, 0].tolist() == list(range(8))
    assert all('gt_score' not in sample for sample in plain['data_samples'])
    preprocessor.batch_augments, preprocessor.to_onehot = augments, True
    assert 'gt_score' in preprocessor(batch(), training=True)['data_samples'][0]


def test_class_counts_are_not_in_checkpoints_so_models_with_and_without_fit() -> None:
    assert set(make().state_dict()) == set(MODELS.build(dict(type='ClsDataPreprocessor')).state_dict())


@pytest.mark.parametrize('copied', [deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copy_mixes_by_its_own_counts(copied: Any) -> None:
    preprocessor = make()
    twin = copied(preprocessor)
    twin.set_class_counts([1, 1, 1])
    assert twin.batch_augments.__self__ is twin
    assert preprocessor.class_counts.tolist() == COUNTS


def test_training_without_class_counts_names_the_hook() -> None:
    preprocessor = MODELS.build(dict(type='mmdrl.RemixDataPreprocessor', num_classes=3))
    with pytest.raises(ConfigError, match='ClassCountsHook'):
        preprocessor(batch(), training=True)


def test_images_that_are_mixed_already_are_refused() -> None:
    with pytest.raises(ConfigError, match=r'gt_score.*BalancedMixup'):
        make()(batch(gt_score=torch.tensor([0.5, 0.5, 0.0])), training=True)


def test_mixing_reads_nothing_from_the_device() -> None:
    preprocessor = make().to('meta')
    images, scores = preprocessor.remix(torch.empty(8, 3, 2, 2, device='meta'), torch.empty(8, 3, device='meta'))
    assert images.shape == (8, 3, 2, 2)
    assert scores.shape == (8, 3)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(alpha=0), 'alpha.*0'),
        (dict(alpha='1'), "alpha.*'1'"),
        (dict(kappa=0.5), 'kappa.*0.5'),
        (dict(tau=2.0), 'tau.*2.0'),
        (dict(tau='half'), 'RemixDataPreprocessor'),
        (dict(batch_augments=dict(augments=dict(type='Mixup', alpha=0.8))), 'mixes by itself.*Mixup'),
        (dict(num_classes=0), 'num_classes.*0'),
    ],
)
def test_bad_settings_are_refused_when_built(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RemixDataPreprocessor(**{'num_classes': 3, **settings})


def test_mixing_of_mmpretrain_is_found_from_an_inherited_config(capsys: pytest.CaptureFixture[str]) -> None:
    augments = dict(augments=[dict(type='Mixup', alpha=1.0, _scope_='mmdrl')])
    preprocessor = MODELS.build(dict(type='ClsDataPreprocessor', num_classes=3, batch_augments=augments))
    assert type(preprocessor.batch_augments.augments[0]).__name__ == 'Mixup'
    seen = capsys.readouterr()
    assert 'Failed to search registry' not in seen.out + seen.err
