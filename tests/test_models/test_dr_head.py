"""The head: which losses it returns, what it leaves out, and both of its predictions."""

import pytest
import torch
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmdrl.errors import ConfigError
from mmdrl.functional import dr_loss, nearest_centroid
from mmdrl.models import ClassStatistics, DRHead, RadiusPolicy
from mmdrl.registry import MODELS

DR_LOSS = dict(
    type='mmdrl.DRLoss',
    radius=dict(type='mmdrl.CountRadius', scale=1.5),
    scope='sample',
    margin=2.0,
    temperature=0.5,
    loss_weight=0.2,
)


def make_head(**settings: object) -> DRHead:
    head = MODELS.build(dict(type='mmdrl.DRHead', num_classes=3, in_channels=4, **{'dr_loss': DR_LOSS, **settings}))
    head.set_class_counts(torch.tensor([9, 4, 1]))
    return head


@pytest.fixture
def batch(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, list[DataSample]]:
    features, labels = torch.randn(6, 4, generator=generator), torch.tensor([0, 0, 1, 1, 2, 2])
    return features, labels, [DataSample().set_gt_label(int(label)) for label in labels]


def test_losses_are_those_of_the_functions(batch: tuple) -> None:
    features, labels, samples = batch
    head = make_head()
    head.centroids.accumulate(features + 1, labels)
    head.centroids.publish()
    losses = head.loss((features,), samples)
    radius = torch.tensor([0.5, 0.75, 1.5])
    expected = dr_loss(features, labels, head.centroids.centroids, radius, temperature=0.5, margin=2.0, scope='sample')
    assert_close(losses['loss_dr'], 0.2 * expected)
    assert_close(losses['loss_cls'], torch.nn.functional.cross_entropy(head.fc(features), labels))


def test_classes_without_a_centroid_are_left_out_and_counted(batch: tuple) -> None:
    features, labels, samples = batch
    head = make_head()
    first = head.loss((features,), samples)
    assert first['loss_dr'] == 0
    assert first['dr_classes_without_centroid'] == 3
    seen = labels < 2
    head = make_head()
    head.centroids.accumulate(features[seen], labels[seen])
    head.centroids.publish()
    losses = head.loss((features,), samples)
    assert losses['dr_classes_without_centroid'] == 1
    # The samples of the class left out still compete in the rows of the others.
    settings = dict(temperature=0.5, margin=2.0, scope='sample')
    weight = torch.tensor([1.0, 1.0, 0.0])
    expected = dr_loss(
        features,
        labels,
        head.centroids.centroids,
        torch.tensor([0.5, 0.75, 1.5]),
        class_weight=weight,
        **settings,
    )
    assert_close(losses['loss_dr'], 0.2 * expected)


@pytest.mark.parametrize('kind', ['none', 'relative', 'balanced', 'effective'])
def test_class_weights_follow_the_training_images(batch: tuple, kind: str) -> None:
    features, labels, samples = batch
    head = make_head(dr_loss={**DR_LOSS, 'class_weight': kind, 'beta': 0.9})
    head.centroids.accumulate(features, labels)
    head.centroids.publish()
    weight = {  # by hand for 9, 4 and 1 images
        'none': [1.0, 1.0, 1.0],
        'relative': [1.0, 4 / 9, 1 / 9],
        'balanced': [14 / 27, 14 / 12, 14 / 3],
        'effective': [0.1 / (1 - 0.9**9), 0.1 / (1 - 0.9**4), 1.0],
    }[kind]
    settings = dict(temperature=0.5, margin=2.0, scope='sample', class_weight=torch.tensor(weight))
    expected = dr_loss(features, labels, head.centroids.centroids, torch.tensor([0.5, 0.75, 1.5]), **settings)
    assert_close(head.loss((features,), samples)['loss_dr'], 0.2 * expected)


def test_measured_radii_are_those_of_the_heads_own_spreads(batch: tuple) -> None:
    features, labels, samples = batch
    head = make_head(dr_loss={**DR_LOSS, 'radius': dict(type='mmdrl.MeasuredRadius', prior_count=0.0)})
    head.centroids.accumulate(features, labels)
    head.centroids.publish()
    spreads = torch.stack([features[labels == label].var(dim=0, correction=0).sum().sqrt() for label in range(3)])
    assert_close(head.statistics.spreads, spreads)
    pooled = (9 * spreads[0] ** 2 + 4 * spreads[1] ** 2) / 11
    radius = torch.stack([spreads[0] / 8**0.5, spreads[1] / 3**0.5, pooled.sqrt()])
    expected = dr_loss(features, labels, head.centroids.centroids, radius, temperature=0.5, margin=2.0, scope='sample')
    assert_close(head.loss((features,), samples)['loss_dr'], 0.2 * expected)


def test_policy_of_the_wrong_shape_is_refused_when_built() -> None:
    class OneRadiusForAll(RadiusPolicy):
        def forward(self, statistics: ClassStatistics) -> torch.Tensor:
            return torch.ones(1)

    with pytest.raises(ConfigError, match=r'OneRadiusForAll.*\(3,\).*\(1,\)'):
        make_head(dr_loss={**DR_LOSS, 'radius': dict(type=OneRadiusForAll)})


def test_stage_scales_switch_losses_off_and_on(batch: tuple) -> None:
    features, labels, samples = batch
    head = make_head()
    head.centroids.accumulate(features, labels)
    head.centroids.publish()
    full = head.loss((features,), samples)
    head.loss_scale = {'loss_cls': 0.5, 'loss_dr': 0.0}
    scaled = head.loss((features,), samples)
    assert 'loss_dr' not in scaled
    assert_close(scaled['loss_cls'], 0.5 * full['loss_cls'])


def test_without_dr_loss_it_is_the_linear_head_with_centroids(batch: tuple) -> None:
    features, labels, samples = batch
    head = make_head(dr_loss=None)
    assert set(head.loss((features,), samples)) == {'loss_cls'}
    head.centroids.publish()
    assert_close(head.centroids.centroids[2], features[labels == 2].mean(dim=0))


def test_predictions_carry_linear_and_nearest_centroid_labels(batch: tuple) -> None:
    features, labels, _ = batch
    head = make_head()
    assert all('ncm_label' not in sample for sample in head.predict((features,)))  # no centroid yet
    head.centroids.accumulate(features[labels > 0], labels[labels > 0])
    head.centroids.publish()
    samples = head.predict((features,))
    ncm = torch.cat([sample.ncm_label for sample in samples])
    # Class 0 has no centroid, and its row of zeros must not win.
    assert torch.equal(ncm, 1 + nearest_centroid(features, head.centroids.centroids[1:]))
    assert torch.equal(torch.cat([s.pred_label for s in samples]), head.fc(features).argmax(dim=1))


def test_gradient_reaches_features_through_both_losses(batch: tuple) -> None:
    features, labels, samples = batch
    head = make_head()
    head.centroids.accumulate(features, labels)
    head.centroids.publish()
    grads = []
    for scale in ({'loss_cls': 0.0, 'loss_dr': 1.0}, {'loss_cls': 1.0, 'loss_dr': 0.0}):
        leaf = features.clone().requires_grad_()
        head.loss_scale = scale
        sum(v for k, v in head.loss((leaf,), samples).items() if 'loss' in k).backward()
        grads.append(leaf.grad)
    assert all(grad.abs().sum() > 0 for grad in grads)


def test_state_dict_holds_counts_centroids_and_learned_radii() -> None:
    head = make_head(dr_loss={**DR_LOSS, 'radius': dict(type='mmdrl.LearnedRadius')})
    wanted = {'class_counts', 'centroids.centroids', 'centroids.is_seen', 'centroids.variances'}
    assert wanted | {'dr_layers.0.dr_loss.radius.raw'} <= set(head.state_dict())


def test_counts_from_a_checkpoint_are_enough_to_train(batch: tuple) -> None:
    head = MODELS.build(dict(type='mmdrl.DRHead', num_classes=3, in_channels=4, dr_loss=DR_LOSS))
    head.load_state_dict(make_head().state_dict())
    assert 'loss_dr' in head.loss((batch[0],), batch[2])


def test_training_without_class_counts_names_the_hook(batch: tuple) -> None:
    head = MODELS.build(dict(type='mmdrl.DRHead', num_classes=3, in_channels=4, dr_loss=DR_LOSS))
    with pytest.raises(ConfigError, match='ClassCountsHook'):
        head.loss((batch[0],), batch[2])


@pytest.mark.parametrize('counts', [[1, 2], [1, 0, 2]])
def test_counts_that_do_not_fit_are_refused(counts: list[int]) -> None:
    with pytest.raises(ConfigError, match='num_classes'):
        make_head().set_class_counts(torch.tensor(counts))


def test_mixed_labels_are_taken_while_the_dr_loss_rests_and_centroids_do_not_notice(batch: tuple) -> None:
    features, labels, samples = batch
    head = make_head(centroids=dict(mode='ema'))
    head.loss((features,), samples)
    before = {key: value.clone() for key, value in head.state_dict().items()}
    head.loss_scale = {'loss_cls': 0.5, 'loss_dr': 0.0}
    scores = torch.eye(3)[labels] * 0.7 + 0.1
    losses = head.loss((features + 1,), [DataSample().set_gt_score(score) for score in scores])
    assert set(losses) == {'loss_cls'}
    log_prob = head.fc(features + 1).log_softmax(dim=1)
    assert_close(losses['loss_cls'], -0.5 * (scores * log_prob).sum(dim=1).mean())
    assert all(torch.equal(value, before[key]) for key, value in head.state_dict().items())


def test_names_in_the_checkpoint_are_the_same_with_another_classifier() -> None:
    plain, cosine = (make_head(**settings) for settings in ({}, dict(classifier=dict(type='mmdrl.CosineClassifier'))))
    assert set(plain.state_dict()) == set(cosine.state_dict())
    cosine.load_state_dict(plain.state_dict())
    assert torch.equal(cosine.fc.weight, plain.fc.weight)


def test_loss_learns_from_the_head_how_many_classes_there_are(batch: tuple) -> None:
    """SeesawLoss would take 1203 classes otherwise."""
    head = make_head(loss=dict(type='SeesawLoss'), dr_loss=None)
    assert head.loss_module.num_classes == 3
    assert head.loss((batch[0],), batch[2])['loss_cls'].isfinite()
    with pytest.raises(ConfigError, match='num_classes=4'):
        make_head(loss=dict(type='SeesawLoss', num_classes=4))


def test_loss_that_takes_its_place_is_used_from_then_on(batch: tuple) -> None:
    features, labels, samples = batch
    head = make_head(dr_loss=None)
    head.loss((features,), samples)
    head.loss_module = MODELS.build(dict(type='LabelSmoothLoss', label_smooth_val=0.3, num_classes=3, mode='original'))
    expected = torch.nn.functional.cross_entropy(head.fc(features), labels, label_smoothing=0.3)
    assert_close(head.loss((features,), samples)['loss_cls'], expected)


def test_mixed_labels_are_refused_under_the_dr_loss(batch: tuple) -> None:
    samples = [DataSample().set_gt_score(torch.tensor([0.5, 0.5, 0.0])) for _ in range(6)]
    with pytest.raises(ConfigError, match='mixup'):
        make_head().loss((batch[0],), samples)
    assert set(make_head(dr_loss=None).loss((batch[0],), samples)) == {'loss_cls'}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(radius=dict(type='mmdrl.BigRadius')), 'CountRadius.*BigRadius'),
        (dict(radius=dict(type='Linear')), 'radius policy'),
        (dict(scope='batch'), 'scope.*batch'),
        (dict(temperature=0.0), 'temperature.*0'),
        (dict(margin=-1.0), 'margin.*-1'),
        (dict(loss_weight=-0.1), 'loss_weight.*-0.1'),
        (dict(loss_weight=float('inf')), 'loss_weight.*inf'),
        (dict(class_weight='rare'), "'effective'.*'rare'"),
        (dict(class_weight='effective', beta=1.0), 'beta.*1.0'),
    ],
)
def test_bad_settings_are_refused_when_the_head_is_built(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_head(dr_loss={**DR_LOSS, **change})
