"""The DR loss on several layers: what each sees, what is shared, and settings that do not fit."""

from typing import Any

import pytest
import torch
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmdrl.errors import ConfigError
from mmdrl.functional import dr_loss, nearest_centroid
from mmdrl.models import DRHead
from mmdrl.registry import MODELS

COUNTS = torch.tensor([9, 4, 1])
LABELS = torch.tensor([0, 0, 1, 1, 2, 2])
SAMPLES = [DataSample().set_gt_label(int(label)) for label in LABELS]
DR_LOSS = dict(type='mmdrl.DRLoss', radius=dict(type='mmdrl.CountRadius', scale=1.5), scope='sample', margin=2.0)
TWO = dict(dr_layers=(-2, -1), dr_channels=(3, 4))


def make_head(**settings: Any) -> DRHead:
    head = MODELS.build(dict(type='mmdrl.DRHead', num_classes=3, in_channels=4, **{'dr_loss': DR_LOSS, **settings}))
    head.set_class_counts(COUNTS)
    return head


@pytest.fixture
def feats(generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    return torch.randn(6, 3, generator=generator), torch.randn(6, 4, generator=generator)


def class_means(rows: torch.Tensor) -> torch.Tensor:
    return torch.stack([rows[:2].mean(dim=0), rows[2:4].mean(dim=0), rows[4:].mean(dim=0)])


def publish(head: DRHead, feats: tuple[torch.Tensor, ...]) -> None:
    head.loss(feats, SAMPLES)
    for module in (head.centroids, *(layer.centroids for layer in head.dr_layers)):
        if module is not None:
            module.publish()


def test_loss_is_the_weighted_sum_over_the_layers(feats: tuple) -> None:
    head = make_head(**TWO, dr_weights=(0.5, 2.0))
    publish(head, feats)
    expected = 0.0
    for weight, rows in zip((0.5, 2.0), feats, strict=True):
        means = class_means(rows)
        expected += weight * dr_loss(rows, LABELS, means, 1.5 / COUNTS.sqrt(), margin=2.0, scope='sample')
    losses = head.loss(feats, SAMPLES)
    assert_close(losses['loss_dr'], expected)
    assert [key for key in losses if 'loss' in key] == ['loss_cls', 'loss_dr']  # MMEngine sums them all
    assert losses['dr_classes_without_centroid'] == 0


def test_layers_weigh_one_unless_told(feats: tuple) -> None:
    heads = [make_head(**TWO), make_head(**TWO, dr_weights=(1.0, 1.0))]
    for head in heads:
        publish(head, feats)
    first, second = (head.loss(feats, SAMPLES)['loss_dr'] for head in heads)
    assert first == second


def test_position_in_the_list_does_not_matter_but_position_in_the_network(feats: tuple) -> None:
    turned = make_head(dr_layers=(-1, 0), dr_channels=(4, 3))
    head = make_head(**TWO)
    for each in (head, turned):
        publish(each, feats)
    assert_close(turned.loss(feats, SAMPLES)['loss_dr'], head.loss(feats, SAMPLES)['loss_dr'])


@pytest.mark.parametrize(
    ('settings', 'shares'),
    [
        (dict(), [True]),
        (TWO, [False, True]),
        (dict(dr_projection=(8, 2)), [False]),
        (dict(dr_normalize=True), [False]),
        (dict(dr_loss={**DR_LOSS, 'distance': 'chord'}), [False]),
        (dict(dr_loss={**DR_LOSS, 'distance': 'cosine'}), [False]),
        (dict(dr_loss={**DR_LOSS, 'distance': 'squared'}), [True]),
        (dict(dr_layers=(1,), dr_channels=(4,)), [False]),
    ],
)
def test_only_what_the_classifier_sees_shares_the_heads_centroids(settings: dict, shares: list[bool]) -> None:
    assert [layer.centroids is None for layer in make_head(**settings).dr_layers] == shares


def test_head_without_the_loss_has_no_layers() -> None:
    head = make_head(**TWO, dr_loss=None)
    assert len(head.dr_layers) == 0
    assert head.dr_loss is None


def test_every_layer_has_radii_and_projections_of_its_own(feats: tuple) -> None:
    head = make_head(**TWO, dr_projection=(8, 5), dr_loss={**DR_LOSS, 'radius': dict(type='mmdrl.LearnedRadius')})
    publish(head, feats)
    head.loss(feats, SAMPLES)['loss_dr'].backward()
    parameters = [dict(layer.named_parameters()) for layer in head.dr_layers]
    assert not {map(id, parameters[0].values())} & {map(id, parameters[1].values())}
    for layer in parameters:
        assert len(layer) == 5  # two linear layers and the radii
        assert all(parameter.grad.abs().sum() > 0 for parameter in layer.values())


def test_losses_and_radii_may_differ_between_layers(feats: tuple) -> None:
    radii = [dict(type='mmdrl.SharedRadius', value=value) for value in (0.25, 0.75)]
    head = make_head(**TWO, dr_loss=[{**DR_LOSS, 'radius': radius, 'temperature': 0.5} for radius in radii])
    publish(head, feats)
    expected = 0.0
    for value, rows in zip((0.25, 0.75), feats, strict=True):
        means = class_means(rows)
        radius = torch.full((3,), value)
        expected += dr_loss(rows, LABELS, means, radius, margin=2.0, scope='sample', temperature=0.5)
    assert_close(head.loss(feats, SAMPLES)['loss_dr'], expected)


def test_projection_is_linear_relu_linear_and_keeps_the_size_of_features(generator: torch.Generator) -> None:
    """The rule of the head, a deviation of 0.01, would make features of width 64 some 1e-3 of what they were."""
    head = make_head(dr_projection=(64, 64))
    head.init_weights()
    (layer,) = head.dr_layers
    rows = torch.randn(100, 4, generator=generator)
    first, second = (module for module in layer.projection if isinstance(module, torch.nn.Linear))
    assert_close(layer(rows), second(first(rows).relu()))
    assert layer(rows).std() > 0.1
    assert head.fc.weight.std() < 0.02


@pytest.mark.parametrize('distance', ['chord', 'cosine'])
def test_normalised_features_lie_on_the_sphere_and_so_do_their_statistics(feats: tuple, distance: str) -> None:
    head = make_head(dr_loss={**DR_LOSS, 'distance': distance, 'radius': dict(type='mmdrl.MeasuredRadius')})
    publish(head, feats)
    (layer,) = head.dr_layers
    directions = feats[-1] / feats[-1].norm(dim=1, keepdim=True)
    means = class_means(directions)
    assert_close(layer.centroids.centroids, means)
    assert (layer.centroids.spreads <= 1).all()
    assert_close(head.centroids.centroids[0], feats[-1][:2].mean(dim=0))  # those of NCM are not


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('scale', [1.0, 1e-15, 1e25])
def test_zero_vector_stays_zero_with_a_finite_gradient(dtype: torch.dtype, scale: float) -> None:
    if dtype == torch.float16 and scale != 1:
        pytest.skip('beyond float16')
    rows = (scale * torch.tensor([[0.0, 0.0], [3.0, 4.0]])).to(dtype).requires_grad_()
    layer = make_head(dr_normalize=True).dr_layers[0]
    unit = layer(rows)
    assert_close(unit, torch.tensor([[0.0, 0.0], [0.6, 0.8]]), rtol=1e-2 if dtype == torch.bfloat16 else 1e-3, atol=0)
    unit.sum().backward()
    assert rows.grad is not None
    assert rows.grad.isfinite().all()


def test_nearest_centroid_is_sought_where_the_classifier_looks(feats: tuple) -> None:
    head = make_head(**TWO, dr_projection=(2,), dr_normalize=True)
    publish(head, feats)
    found = torch.cat([sample.ncm_label for sample in head.predict(feats)])
    means = class_means(feats[-1])
    assert torch.equal(found, nearest_centroid(feats[-1], means))


def test_classes_without_centroid_are_those_of_the_worst_layer(feats: tuple) -> None:
    head = make_head(**TWO)
    publish(head, feats)
    head.dr_layers[0].centroids.is_seen[1:] = False
    assert head.loss(feats, SAMPLES)['dr_classes_without_centroid'] == 2


def test_layers_collect_centroids_while_their_loss_is_off(feats: tuple) -> None:
    head = make_head(**TWO, dr_projection=(2,))
    head.loss_scale = {'loss_cls': 1.0, 'loss_dr': 0.0}
    losses = head.loss((feats[0], feats[1].clone().requires_grad_()), SAMPLES)
    assert set(losses) == {'loss_cls'}
    for layer in head.dr_layers:
        layer.centroids.publish()
        assert layer.centroids.is_seen.all()
        assert all(parameter.grad is None for parameter in layer.parameters())


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(dr_layers=(-2, -1)), r'\(-2, -1\) needs dr_channels'),
        (dict(dr_layers=(-1, -1), dr_channels=(4, 4)), 'once'),
        (dict(dr_layers=-1), 'dr_layers must be a list'),
        (dict(dr_layers=(1.5,), dr_channels=(4,)), r'whole numbers.*1\.5'),
        (dict(dr_layers=()), 'dr_layers must be a list'),
        (dict(**TWO, dr_weights=(1.0,)), r'dr_weights must be a list of 2.*\(1\.0,\)'),
        (dict(dr_weights=(-1.0,)), r'not negative, got \(-1\.0,\)'),
        (dict(dr_weights=(float('nan'),)), 'nan'),
        (dict(dr_channels=(5,)), 'dr_channels says 5.*in_channels is 4'),
        (dict(dr_layers=(-2, -1), dr_channels=(3,)), 'dr_channels must be a list of 2'),
        (dict(dr_projection=()), 'dr_projection'),
        (dict(dr_projection=(8, 0)), r'dr_projection.*\(8, 0\)'),
        (dict(dr_normalize='yes'), "dr_normalize.*'yes'"),
        (dict(dr_normalize=False, dr_loss={**DR_LOSS, 'distance': 'chord'}), "dr_normalize=False.*'chord'"),
        (dict(dr_normalize=False, dr_loss={**DR_LOSS, 'distance': 'cosine'}), "dr_normalize=False.*'cosine'"),
        (dict(**TWO, dr_loss=[DR_LOSS]), 'one for each of 2 layers, got 1'),
    ],
)
def test_settings_that_do_not_fit_are_refused_when_the_head_is_built(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_head(**settings)


@pytest.mark.parametrize(
    ('shapes', 'message'),
    [
        ([(6, 4)], r'layer -2.*hands over 1.*out_indices'),
        ([(6, 3, 2, 2), (6, 4)], r'\(6, 3, 2, 2\).*GlobalAveragePooling'),
        ([(6, 5), (6, 4)], r'width 3 of layer -2, got 5.*dr_channels'),
    ],
)
def test_features_that_do_not_fit_the_settings_name_the_key_to_change(shapes: list, message: str) -> None:
    head = make_head(**TWO)
    with pytest.raises(ConfigError, match=message):
        head.loss(tuple(torch.zeros(shape) for shape in shapes), SAMPLES)


def test_one_layer_under_two_names_is_refused(feats: tuple) -> None:
    head = make_head(dr_layers=(1, -1), dr_channels=(4, 4))
    with pytest.raises(ConfigError, match=r'\[1, -1\].*twice'):
        head.loss(feats, SAMPLES)
