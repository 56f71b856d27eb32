"""Centroids and spreads that are summed up: moments over an epoch, whatever the batches; absent classes keep theirs."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mmdrl.errors import ConfigError
from mmdrl.models import ClassCentroids


@pytest.fixture(autouse=True, params=['cpu', 'accelerator'])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are folded in as on the CPU, and as on an accelerator."""
    if request.param == 'accelerator':
        monkeypatch.setattr('mmdrl.models.class_moments.is_static', lambda tensor: True)


@pytest.fixture
def epoch(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(30, 5, generator=generator), torch.randint(0, 3, (30,), generator=generator)


def spread(features: torch.Tensor) -> torch.Tensor:
    """Root of the mean squared distance to the mean, in float64."""
    features = features.double()
    return (features - features.mean(dim=0)).square().sum(dim=1).mean().sqrt().float()


@pytest.mark.parametrize('mode', ['running', 'epoch'])
@pytest.mark.parametrize('batch_size', [1, 7, 30])
def test_published_centroids_and_spreads_are_the_class_moments(epoch: tuple, batch_size: int, mode: str) -> None:
    features, labels = epoch
    centroids = ClassCentroids(4, 5, mode=mode)  # type: ignore[arg-type]
    for _ in range(2):  # the second epoch sums differences to the centroids of the first
        for start in range(0, 30, batch_size):
            centroids.accumulate(features[start : start + batch_size], labels[start : start + batch_size])
        centroids.publish()
        for label in range(3):
            assert_close(centroids.centroids[label], features[labels == label].mean(dim=0))
            assert_close(centroids.spreads[label], spread(features[labels == label]))
        features = features + 5
    assert centroids.is_seen.tolist() == [True, True, True, False]
    assert centroids.spreads.isnan().tolist() == [False, False, False, True]


def test_nothing_is_published_before_the_epoch_ends(epoch: tuple) -> None:
    centroids = ClassCentroids(4, 5)
    centroids.update(*epoch)
    assert not centroids.is_seen.any()
    assert not centroids.centroids.any()


def test_training_steps_leave_no_trace_in_mode_epoch(epoch: tuple) -> None:
    centroids = ClassCentroids(4, 5, mode='epoch')
    before = {key: value.clone() for key, value in centroids.state_dict().items()}
    centroids.update(*epoch)
    assert all(torch.equal(value, before[key]) for key, value in centroids.state_dict().items())


def test_absent_class_keeps_its_centroid_and_others_forget_the_last_epoch(epoch: tuple) -> None:
    features, labels = epoch
    centroids = ClassCentroids(3, 5)
    centroids.accumulate(features, labels)
    centroids.publish()
    before = centroids.centroids.clone(), centroids.spreads.clone()
    centroids.accumulate(torch.ones(2, 5), torch.tensor([1, 1]))
    centroids.publish()
    assert_close(centroids.centroids[0], before[0][0])
    assert centroids.spreads[0] == before[1][0]
    assert_close(centroids.centroids[1], torch.ones(5))
    assert_close(centroids.spreads[1], torch.tensor(0.0), atol=1e-6, rtol=0)


@pytest.mark.parametrize('batch_size', [1, 7, 500])
@pytest.mark.parametrize('distance', [1e2, 1e4])
def test_tight_cluster_far_away_is_measured_in_the_first_epoch(
    generator: torch.Generator, batch_size: int, distance: float
) -> None:
    """At distance 1e4 from the origin float32 has 1e-3 left, and its square 8: the spread of 1 would drown in that."""
    noise = torch.randn(3000, 8, generator=generator, dtype=torch.float64) / 8**0.5
    features = (distance / 8**0.5 + noise).float()
    labels = torch.zeros(len(features), dtype=torch.long)
    centroids = ClassCentroids(1, 8)
    for start in range(0, len(features), batch_size):
        centroids.accumulate(features[start : start + batch_size], labels[start : start + batch_size])
    centroids.publish()
    assert_close(centroids.spreads[0], spread(features), rtol=1e-3, atol=0)
    # 3000 roundings when every sample is a batch of its own.
    assert_close(centroids.centroids[0].double(), features.double().mean(dim=0), rtol=5e-6, atol=0)


def test_half_precision_features_are_summed_in_float32() -> None:
    centroids = ClassCentroids(1, 1)
    for _ in range(3000):  # 2048 is where float16 stops counting by one
        centroids.accumulate(torch.ones(1, 1, dtype=torch.float16), torch.zeros(1, dtype=torch.long))
    assert centroids.sums is not None
    assert centroids.sums.counts.item() == 3000
    assert centroids.sums.mean.item() == 1


@pytest.mark.parametrize('cast', [lambda module: module.half(), lambda module: module.to(torch.bfloat16)])
@pytest.mark.parametrize('mode', ['running', 'ema'])
def test_casting_the_model_leaves_the_statistics_in_float32(mode: str, cast: Callable[[nn.Module], nn.Module]) -> None:
    centroids = ClassCentroids(1, 1, mode=mode)  # type: ignore[arg-type]
    cast(nn.Sequential(centroids))
    for _ in range(800):  # bfloat16 stops counting at 256
        centroids.update(torch.ones(1, 1, dtype=torch.bfloat16), torch.zeros(1, dtype=torch.long))
    centroids.publish()
    assert centroids.centroids.dtype == torch.float32
    assert centroids.centroids.item() == 1
    assert centroids.to(torch.float64).centroids.dtype == torch.float64


def test_initialising_anew_forgets_everything(epoch: tuple) -> None:
    centroids = ClassCentroids(3, 5)
    centroids.accumulate(*epoch)
    centroids.publish()
    centroids.accumulate(*epoch)
    centroids.reset_parameters()
    assert all(not buffer.any() for buffer in centroids.buffers())


def test_epoch_mode_keeps_no_sums_in_the_checkpoint() -> None:
    assert set(ClassCentroids(3, 5, mode='epoch').state_dict()) == {'centroids', 'variances', 'is_seen'}


def test_state_survives_a_checkpoint_in_the_middle_of_an_epoch(epoch: tuple) -> None:
    features, labels = epoch
    whole, resumed = ClassCentroids(3, 5), ClassCentroids(3, 5)
    whole.accumulate(features[:10], labels[:10])
    resumed.load_state_dict(whole.state_dict())
    for centroids in (whole, resumed):
        centroids.accumulate(features[10:], labels[10:])
        centroids.publish()
    assert torch.equal(whole.centroids, resumed.centroids)
    assert torch.equal(whole.spreads, resumed.spreads)


@pytest.mark.parametrize('mode', ['running', 'ema'])
def test_no_gradient_flows_into_centroids(epoch: tuple, mode: str) -> None:
    features = epoch[0].clone().requires_grad_()
    centroids = ClassCentroids(3, 5, mode=mode)  # type: ignore[arg-type]
    centroids.update(features, epoch[1])
    centroids.publish()
    assert centroids.is_seen.all()
    assert not centroids.centroids.requires_grad


def test_unknown_mode_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match='sliding'):
        ClassCentroids(3, 5, mode='sliding')  # type: ignore[arg-type]


@pytest.mark.parametrize('momentum', [-0.1, 1.0, 1, float('nan'), 'slow'])
def test_momentum_outside_its_range_is_refused(momentum: object) -> None:
    with pytest.raises(ConfigError, match=f'momentum.*{momentum}'):
        ClassCentroids(3, 5, mode='ema', momentum=momentum)  # type: ignore[arg-type]


def test_state_without_sums_loads_as_that_of_an_epoch_not_begun(epoch: tuple) -> None:
    trained = ClassCentroids(3, 5)
    trained.accumulate(*epoch)
    trained.publish()
    trained.accumulate(*epoch)
    state = {name: value for name, value in trained.state_dict().items() if not name.startswith('sums.')}
    fresh = ClassCentroids(3, 5)
    fresh.accumulate(*epoch)
    fresh.load_state_dict(state, strict=True)
    assert torch.equal(fresh.centroids, trained.centroids)
    assert not any(buffer.any() for buffer in fresh.sums.buffers())
    fresh.load_state_dict(trained.state_dict(), strict=True)  # sums that are there come along
    assert torch.equal(fresh.sums.counts, trained.sums.counts)


def test_some_of_the_sums_are_not_enough() -> None:
    state = ClassCentroids(3, 5).state_dict()
    del state['sums.mean']
    with pytest.raises(RuntimeError, match=r'sums\.mean'):
        ClassCentroids(3, 5).load_state_dict(state)
