"""Rules of prediction of the head: classifier, adjusted classifier, nearest centroid."""

from typing import Any

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmdrl.errors import ConfigError
from mmdrl.functional import nearest_centroid
from mmdrl.models import DRHead
from mmdrl.registry import MODELS

COUNTS = [90, 9, 1]


def make_head(**settings: Any) -> DRHead:
    head = MODELS.build(dict(type='mmdrl.DRHead', num_classes=3, in_channels=4, **settings))
    head.set_class_counts(torch.tensor(COUNTS))
    return head


@pytest.fixture
def features(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(60, 4, generator=generator)


def labels_of(samples: list[DataSample]) -> torch.Tensor:
    return torch.cat([sample.pred_label for sample in samples])


def scores_of(samples: list[DataSample]) -> torch.Tensor:
    return torch.stack([sample.pred_score for sample in samples])


def with_centroids(head: DRHead, classes: list[int], offset: float = 0.0) -> DRHead:
    rows = torch.randn(5 * len(classes), 4, generator=torch.Generator().manual_seed(3)) + offset
    head.centroids.accumulate(rows, torch.tensor(classes).repeat_interleave(5))
    head.centroids.publish()
    return head


@pytest.mark.parametrize('tau', [0.5, 1.0, 2.0])
def test_adjustment_subtracts_the_logarithm_of_the_share(features: torch.Tensor, tau: float) -> None:
    """Menon et al., ICLR 2021, equation 9."""
    head = make_head(logit_adjustment=tau)
    logits = head.fc(features).detach().numpy().astype(np.float64) - tau * np.log(np.array(COUNTS) / 100)
    samples = head.predict((features,))
    assert labels_of(samples).tolist() == logits.argmax(axis=1).tolist()
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert_close(
        scores_of(samples).double(), torch.from_numpy(odds / odds.sum(axis=1, keepdims=True)), rtol=1e-5, atol=1e-7
    )


def test_adjustment_is_not_in_the_loss(features: torch.Tensor) -> None:
    head, plain = make_head(logit_adjustment=1.0), make_head()
    plain.load_state_dict(head.state_dict())
    samples = [DataSample().set_gt_label(position % 3) for position in range(60)]
    assert torch.equal(head.loss((features,), samples)['loss_cls'], plain.loss((features,), samples)['loss_cls'])


def test_adjustment_without_class_counts_names_the_hook(features: torch.Tensor) -> None:
    head = MODELS.build(dict(type='mmdrl.DRHead', num_classes=3, in_channels=4, logit_adjustment=1.0))
    with pytest.raises(ConfigError, match='ClassCountsHook'):
        head.predict((features,))
    head.load_state_dict(make_head().state_dict())  # those of a checkpoint are enough
    assert len(head.predict((features,))) == 60


@pytest.mark.parametrize('classes', [[0, 1, 2], [0, 2], [1]])
@pytest.mark.parametrize('offset', [0.0, 1e5])
def test_label_is_that_of_the_nearest_centroid_and_the_score_its_softmax(
    features: torch.Tensor, classes: list[int], offset: float
) -> None:
    features = features + offset
    head = with_centroids(make_head(predict_with='ncm'), classes, offset)
    samples = head.predict((features,))
    known = head.centroids.centroids[classes]
    nearest = torch.tensor(classes)[nearest_centroid(features, known)]
    assert torch.equal(labels_of(samples), nearest)
    assert torch.equal(torch.cat([sample.ncm_label for sample in samples]), nearest)
    scores = scores_of(samples)
    assert torch.equal(scores.argmax(dim=1), nearest)
    squares = ((features.double()[:, None] - known.double()[None]) ** 2).sum(dim=-1)
    assert_close(scores[:, classes].double(), (-squares / 2).softmax(dim=1), rtol=1e-3, atol=1e-5)
    assert (scores[:, [c for c in range(3) if c not in classes]] == 0).all()


def test_nearest_of_two_centroids_whose_scores_are_equal_by_rounding_is_the_label() -> None:
    head = make_head(predict_with='ncm')
    near, far = torch.tensor([[1.0, 1e-6, 0.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    head.centroids.accumulate(torch.cat([far, near]), torch.tensor([0, 1]))
    head.centroids.publish()
    (sample,) = head.predict((near,))
    assert sample.pred_score[0] == sample.pred_score[1]
    assert sample.pred_label.tolist() == [1]


def test_nearest_centroid_is_found_in_float32_under_autocast(features: torch.Tensor) -> None:
    head = with_centroids(make_head(predict_with='ncm'), [0, 1, 2])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = scores_of(head.predict((features.bfloat16(),)))
    assert_close(mixed, scores_of(head.predict((features.bfloat16().float(),))))


def test_without_centroids_a_sentence_says_what_is_missing(features: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match=r'no class has one.*CentroidHook'):
        make_head(predict_with='ncm').predict((features,))


def test_ground_truth_stays_in_the_samples(features: torch.Tensor) -> None:
    given = [DataSample().set_gt_label(2) for _ in range(60)]
    for rule in ('classifier', 'ncm'):
        samples = with_centroids(make_head(predict_with=rule), [0, 1, 2]).predict((features,), given)
        assert all(sample is other for sample, other in zip(samples, given, strict=True))
        assert all(sample.gt_label.tolist() == [2] for sample in samples)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(predict_with='knn'), "'classifier' or 'ncm'.*'knn'"),
        (dict(logit_adjustment=-1.0), 'logit_adjustment.*-1.0'),
        (dict(logit_adjustment=float('inf')), 'logit_adjustment.*inf'),
        (dict(logit_adjustment='1'), "logit_adjustment.*'1'"),
        (dict(logit_adjustment=1.0, predict_with='ncm'), 'Leave one of them out'),
    ],
)
def test_bad_settings_are_refused_when_the_head_is_built(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_head(**settings)
