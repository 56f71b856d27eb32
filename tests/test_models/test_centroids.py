"""Running centroids: means over an epoch, whatever the batches; absent classes keep what they had."""

import pytest
import torch
from torch.testing import assert_close

from mmdrl.errors import ConfigError
from mmdrl.models import ClassCentroids


@pytest.fixture
def epoch(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(30, 5, generator=generator), torch.randint(0, 3, (30,), generator=generator)


@pytest.mark.parametrize('batch_size', [1, 7, 30])
def test_published_centroids_are_the_class_means_of_the_epoch(epoch: tuple, batch_size: int) -> None:
    features, labels = epoch
    centroids = ClassCentroids(4, 5)
    for start in range(0, 30, batch_size):
        centroids.accumulate(features[start : start + batch_size], labels[start : start + batch_size])
    assert not centroids.is_seen.any()  # nothing is published before the epoch ends
    centroids.publish()
    for label in range(3):
        assert_close(centroids.centroids[label], features[labels == label].mean(dim=0))
    assert centroids.is_seen.tolist() == [True, True, True, False]


def test_absent_class_keeps_its_centroid_and_others_forget_the_last_epoch(epoch: tuple) -> None:
    features, labels = epoch
    centroids = ClassCentroids(3, 5)
    centroids.accumulate(features, labels)
    centroids.publish()
    before = centroids.centroids.clone()
    centroids.accumulate(torch.ones(2, 5), torch.tensor([1, 1]))
    centroids.publish()
    assert_close(centroids.centroids[0], before[0])
    assert_close(centroids.centroids[1], torch.ones(5))


def test_half_precision_features_are_summed_in_float32() -> None:
    centroids = ClassCentroids(1, 1)
    for _ in range(3000):  # 2048 is where float16 stops counting by one
        centroids.accumulate(torch.ones(1, 1, dtype=torch.float16), torch.zeros(1, dtype=torch.long))
    assert centroids.sums.item() == 3000


def test_state_survives_a_checkpoint_in_the_middle_of_an_epoch(epoch: tuple) -> None:
    features, labels = epoch
    whole, resumed = ClassCentroids(3, 5), ClassCentroids(3, 5)
    whole.accumulate(features[:10], labels[:10])
    resumed.load_state_dict(whole.state_dict())
    for centroids in (whole, resumed):
        centroids.accumulate(features[10:], labels[10:])
        centroids.publish()
    assert torch.equal(whole.centroids, resumed.centroids)


def test_no_gradient_flows_into_centroids(epoch: tuple) -> None:
    features = epoch[0].clone().requires_grad_()
    centroids = ClassCentroids(3, 5)
    centroids.accumulate(features, epoch[1])
    centroids.publish()
    assert not centroids.centroids.requires_grad


def test_unknown_mode_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match='sliding'):
        ClassCentroids(3, 5, mode='sliding')  # type: ignore[arg-type]
