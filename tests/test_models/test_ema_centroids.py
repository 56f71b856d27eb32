"""Moving centroids: moments under exponential weights, in every precision, for the classes of the batch only."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmdrl.models import ClassCentroids


@pytest.fixture(autouse=True, params=['cpu', 'accelerator'])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are folded in as on the CPU, and as on an accelerator."""
    if request.param == 'accelerator':
        monkeypatch.setattr('mmdrl.models.class_moments.is_static', lambda tensor: True)


MOMENTUM = 0.8


def batches(generator: torch.Generator, count: int = 6, offset: float = 0.0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Classes 0 to 2 in varying numbers; class 2 is absent from the first batches."""
    drawn = []
    for step in range(count):
        labels = torch.randint(0, 2 if step < 2 else 3, (10,), generator=generator)
        features = torch.randn(10, 4, generator=generator) * (1 + labels[:, None]) + step
        drawn.append((features + offset, labels))
    return drawn


def weighted_moments(drawn: list, label: int, momentum: float) -> tuple[np.ndarray, float]:
    """Oracle: every sample gets its weight, then mean and variance are those of weighted samples."""
    samples, weights = [], []
    for features, labels in drawn:
        own = features[labels == label].double().numpy()
        if len(own):
            is_first = not weights
            weights = [weight * momentum for weight in weights]
            weights += [(1.0 if is_first else 1 - momentum) / len(own)] * len(own)
            samples += list(own)
    points, shares = np.array(samples), np.array(weights)
    mean = shares @ points
    return mean, float(np.sqrt(shares @ ((points - mean) ** 2).sum(axis=1)))


def follow(drawn: list, momentum: float = MOMENTUM) -> ClassCentroids:
    centroids = ClassCentroids(4, 4, mode='ema', momentum=momentum)
    for features, labels in drawn:
        centroids.update(features, labels)
    return centroids


@pytest.mark.parametrize('momentum', [0.0, 0.8, 0.99])
def test_centroids_and_spreads_are_moments_under_exponential_weights(
    generator: torch.Generator, momentum: float
) -> None:
    drawn = batches(generator)
    centroids = follow(drawn, momentum)
    for label in range(3):
        mean, deviation = weighted_moments(drawn, label, momentum)
        np.testing.assert_allclose(centroids.centroids[label], mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(centroids.spreads[label], deviation, rtol=1e-5)
    assert centroids.is_seen.tolist() == [True, True, True, False]
    assert not centroids.centroids[3].any()


def test_first_occurrence_takes_mean_and_spread_of_the_batch(generator: torch.Generator) -> None:
    features, labels = batches(generator)[0]
    centroids = follow([(features, labels)])
    own = features[labels == 1]
    assert_close(centroids.centroids[1], own.mean(dim=0))
    assert_close(centroids.spreads[1], (own - own.mean(dim=0)).square().sum(dim=1).mean().sqrt())


def test_class_that_is_not_in_the_batch_keeps_everything(generator: torch.Generator) -> None:
    centroids = follow(batches(generator))
    before = centroids.centroids.clone(), centroids.spreads.clone()
    centroids.update(torch.ones(3, 4), torch.tensor([1, 1, 0]))
    assert torch.equal(centroids.centroids[2], before[0][2])
    assert torch.equal(centroids.spreads[2], before[1][2])
    assert not torch.equal(centroids.centroids[1], before[0][1])


def test_order_of_the_batch_does_not_matter(generator: torch.Generator) -> None:
    drawn = batches(generator)
    turned = [(features.flip(0), labels.flip(0)) for features, labels in drawn]
    assert_close(follow(turned).centroids, follow(drawn).centroids)
    assert_close(follow(turned).variances, follow(drawn).variances)


def test_tight_clusters_far_from_the_origin_keep_their_spread(generator: torch.Generator) -> None:
    drawn = batches(generator, offset=1e4)
    _, deviation = weighted_moments(drawn, 0, MOMENTUM)
    np.testing.assert_allclose(follow(drawn).spreads[0], deviation, rtol=1e-3)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_are_computed_in_float32(generator: torch.Generator, dtype: torch.dtype) -> None:
    drawn = [(features.to(dtype), labels) for features, labels in batches(generator)]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = follow(drawn)
    exact = follow([(features.float(), labels) for features, labels in drawn])
    assert found.centroids.dtype == torch.float32
    assert torch.equal(found.centroids, exact.centroids)
    assert torch.equal(found.variances, exact.variances)


def test_large_model_costs_no_more_than_its_batch() -> None:
    """Rows of absent classes are not even looked at: nan in them stays where it is."""
    centroids = ClassCentroids(1000, 4, mode='ema')
    centroids.centroids[5:] = torch.nan
    centroids.update(torch.ones(3, 4), torch.tensor([0, 1, 0]))
    assert centroids.centroids[:2].eq(1).all()
    assert centroids.centroids[5:].isnan().all()


def test_publishing_and_discarding_change_nothing(generator: torch.Generator) -> None:
    centroids = follow(batches(generator))
    before = {key: value.clone() for key, value in centroids.state_dict().items()}
    centroids.publish()
    centroids.discard()
    assert set(before) == {'centroids', 'variances', 'is_seen'}
    assert all(torch.equal(value, before[key]) for key, value in centroids.state_dict().items())


def test_state_dict_is_all_that_going_on_needs(generator: torch.Generator) -> None:
    drawn = batches(generator)
    resumed = ClassCentroids(4, 4, mode='ema', momentum=MOMENTUM)
    resumed.load_state_dict(follow(drawn[:3]).state_dict())
    for features, labels in drawn[3:]:
        resumed.update(features, labels)
    assert torch.equal(resumed.centroids, follow(drawn).centroids)
    assert torch.equal(resumed.variances, follow(drawn).variances)
