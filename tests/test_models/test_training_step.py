"""A whole training step of the head: it reads nothing from the device, and stops at features that have diverged."""

from typing import Any

import pytest
import torch
from mmpretrain.structures import DataSample

from mmdrl.errors import DataError, DivergenceError
from mmdrl.models import DRHead
from mmdrl.registry import MODELS

LABELS = [0, 0, 1, 1, 2, 2]
CPU = torch.device('cpu')


def make_head(**settings: Any) -> DRHead:
    loss = dict(
        type='mmdrl.DRLoss',
        radius=dict(type=settings.pop('radius', 'mmdrl.CountRadius')),
        scope=settings.pop('scope', 'class'),
        distance=settings.pop('distance', 'euclidean'),
        class_weight=settings.pop('class_weight', 'none'),
    )
    head = MODELS.build(
        dict(
            type='mmdrl.DRHead',
            num_classes=3,
            in_channels=4,
            **{'dr_loss': loss, 'dr_layers': (-2, -1), 'dr_channels': (3, 4), **settings},
        )
    )
    head.set_class_counts(torch.tensor([9, 4, 1]))
    return head


def step(head: DRHead, device: torch.device = CPU, **replaced: torch.Tensor) -> None:
    """Loss and gradient of one batch; ``low`` and ``high`` replace the features of a layer."""
    low, high = replaced.get('low', torch.randn(6, 3)), replaced.get('high', torch.randn(6, 4))
    feats = tuple(rows.to(device).requires_grad_() for rows in (low, high))
    samples = [DataSample().set_gt_label(torch.tensor([label], device=device)) for label in LABELS]
    losses = head.loss(feats, samples)
    sum(value for key, value in losses.items() if 'loss' in key).backward()


@pytest.mark.parametrize('mode', ['running', 'epoch', 'ema'])
@pytest.mark.parametrize('scope', ['class', 'sample'])
@pytest.mark.parametrize('radius', ['mmdrl.MeasuredRadius', 'mmdrl.LearnedRadius'])
@pytest.mark.parametrize('distance', ['euclidean', 'chord', 'squared', 'cosine'])
def test_training_step_reads_nothing_from_the_device(mode: str, scope: str, radius: str, distance: str) -> None:
    """Tensors without data: whoever looks at one, or makes a shape depend on one, fails."""
    head = make_head(
        centroids=dict(mode=mode),
        scope=scope,
        radius=radius,
        distance=distance,
        class_weight='effective',
        dr_projection=(8, 2),
    ).to('meta')
    for _ in range(2):
        step(head, torch.device('meta'))
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize('mode', ['running', 'ema'])
def test_training_step_under_autocast_keeps_statistics_in_float32(mode: str) -> None:
    head = make_head(centroids=dict(mode=mode), dr_projection=(8, 2), distance='cosine', radius='mmdrl.MeasuredRadius')
    for _ in range(2):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            step(head, low=torch.randn(6, 3).bfloat16(), high=torch.randn(6, 4).bfloat16())
        for centroids in (head.centroids, *(layer.centroids for layer in head.dr_layers)):
            centroids.publish()
            assert centroids.centroids.dtype == centroids.spreads.dtype == torch.float32
            assert centroids.is_seen.all()
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


def test_features_on_the_device_are_judged_only_when_asked() -> None:
    head = make_head().to('meta')
    step(head, torch.device('meta'))
    with pytest.raises((RuntimeError, NotImplementedError), match='meta'):
        head.check_divergence()


@pytest.mark.parametrize('mode', ['running', 'ema'])
@pytest.mark.parametrize('with_loss', [True, False])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_features_that_are_not_finite_are_refused_before_any_state_changes(
    mode: str, with_loss: bool, value: float
) -> None:
    head = make_head(centroids=dict(mode=mode), **({} if with_loss else dict(dr_loss=None)))
    step(head)
    before = {key: tensor.clone() for key, tensor in head.state_dict().items()}
    high = torch.randn(6, 4)
    high[3, 2] = value
    with pytest.raises(DivergenceError, match=r'layer -1.*class 1.*learning rate.*clip_grad'):
        step(head, high=high)
    assert all(torch.equal(tensor, before[key]) for key, tensor in head.state_dict().items())
    step(head)  # the finding is not held against the next step


def test_the_layer_that_diverged_is_named() -> None:
    low = torch.randn(6, 3)
    low[5] = float('inf')
    with pytest.raises(DivergenceError, match=r'the features of layer -2.*class 2'):
        step(make_head(), low=low)


def test_projection_that_overflows_is_named() -> None:
    head = make_head(dr_projection=(8, 2))
    head.dr_layers[0].projection[0].weight.data.fill_(1e38)
    with pytest.raises(DivergenceError, match='projected features of layer -2'):
        step(head, low=torch.full((6, 3), 1e10))


def test_radius_that_is_no_number_reaches_the_user_as_divergence() -> None:
    head = make_head(radius='mmdrl.LearnedRadius')
    with torch.no_grad():
        head.dr_layers[1].dr_loss.radius.raw.fill_(float('nan'))
    with pytest.raises(DivergenceError, match=r'layer -1.*radius'):
        step(head)


@pytest.fixture
def as_on_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of the loss that looks at no value, on tensors that can be looked at afterwards."""
    for module in ('robust', 'checks'):
        monkeypatch.setattr(f'mmdrl.functional.{module}.is_static', lambda tensor: True)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -1.0])
def test_impossible_radius_on_an_accelerator_stops_the_run_after_the_step(
    as_on_an_accelerator: None, value: float
) -> None:
    head = make_head(radius='mmdrl.SharedRadius')
    step(head)
    head.check_divergence()
    head.dr_layers[1].dr_loss.radius.value = value
    step(head)
    with pytest.raises(DivergenceError, match=r'loss_dr is not finite.*radius'):
        head.check_divergence()
    head.check_divergence()  # said once


def test_centroid_that_is_no_number_on_an_accelerator_stops_the_run_after_the_step(as_on_an_accelerator: None) -> None:
    head = make_head()
    step(head)
    head.centroids.centroids[1] = float('nan')
    step(head)
    with pytest.raises(DivergenceError, match=r'loss_dr is not finite.*centroid'):
        head.check_divergence()


def test_classifier_that_is_no_number_is_noticed_after_the_step() -> None:
    head = make_head()
    head.fc.weight.data.fill_(float('inf'))
    step(head)
    with pytest.raises(DivergenceError, match='loss_cls is not finite'):
        head.check_divergence()


@pytest.mark.parametrize('label', [-1, 3])
def test_label_out_of_range_is_named(label: int) -> None:
    samples = [DataSample().set_gt_label(0), DataSample()]
    samples[1].gt_label = torch.tensor([label])
    with pytest.raises(DataError, match=rf'\[0, 3\).*{label}'):
        make_head().loss((torch.randn(2, 3), torch.randn(2, 4)), samples)


def test_empty_batch_is_refused_with_a_sentence() -> None:
    with pytest.raises(DataError, match='at least one image'):
        make_head().loss((torch.randn(0, 3), torch.randn(0, 4)), [])


def test_collecting_judges_only_when_asked() -> None:
    head = make_head(centroids=dict(mode='epoch'))
    head.collect((torch.randn(6, 3), torch.full((6, 4), float('nan'))), torch.tensor(LABELS))
    head.collect((torch.randn(6, 3), torch.randn(6, 4)), torch.tensor(LABELS))
    with pytest.raises(DivergenceError, match='layer -1'):
        head.check_divergence()
