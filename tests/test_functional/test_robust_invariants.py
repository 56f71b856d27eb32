"""What may and may not change the robust centroid loss, and its gradients in closed form."""

import numpy as np
import pytest
import torch
from cases import close, every_distance, every_scope, make_batch
from torch.testing import assert_close

from mmdrl.functional import dr_loss


@every_scope
@every_distance
def test_zero_radius_or_zero_margin_gives_the_plain_loss(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    # The plain loss, written without scope or margin.
    z, mu = features.numpy(), centroids.numpy()
    if distance == 'chord':
        z, mu = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (z, mu))
    logits = -np.linalg.norm(mu[:, None] - z[None], axis=2) / 0.3
    log_prob = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    plain = -np.mean([log_prob[c, labels.numpy() == c].mean() for c in sorted(set(labels.tolist()))])
    options = dict(temperature=0.3, scope=scope, distance=distance)
    close(dr_loss(features, labels, centroids, torch.zeros(5).double(), margin=2.0, **options), plain)
    close(dr_loss(features, labels, centroids, radius, margin=0.0, **options), plain)


@every_scope
def test_batch_order_does_not_matter(rng, scope):
    features, labels, centroids, radius = make_batch(rng)
    order = torch.from_numpy(rng.permutation(12))
    shuffled = dr_loss(features[order], labels[order], centroids, radius, scope=scope)
    close(shuffled, dr_loss(features, labels, centroids, radius, scope=scope).item(), atol=1e-12)


@every_scope
def test_names_of_the_classes_do_not_matter(rng, scope):
    features, labels, centroids, radius = make_batch(rng)
    weight = torch.from_numpy(rng.uniform(0.1, 3.0, size=5))
    new_name = torch.from_numpy(rng.permutation(5))
    renamed = [torch.empty_like(x) for x in (centroids, radius, weight)]
    for new, old in zip(renamed, (centroids, radius, weight), strict=True):
        new[new_name] = old
    value = dr_loss(features, new_name[labels], renamed[0], renamed[1], class_weight=renamed[2], scope=scope)
    expected = dr_loss(features, labels, centroids, radius, class_weight=weight, scope=scope)
    close(value, expected.item(), atol=1e-12)


@every_distance
@every_scope
def test_translation_or_scale_of_the_space_changes_nothing(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    value = dr_loss(features, labels, centroids, radius, scope=scope, distance=distance).item()
    if distance == 'euclidean':
        moved = dr_loss(features + 3.0, labels, centroids + 3.0, radius, scope=scope)
    else:
        moved = dr_loss(7.0 * features, labels, 0.2 * centroids, radius, scope=scope, distance='chord')
    close(moved, value)


@every_scope
@pytest.mark.parametrize('c', range(3))
def test_larger_radius_never_lowers_the_loss(rng, scope, c):
    features, labels, centroids, radius = make_batch(rng, num_classes=3)
    values = []
    for eps in np.linspace(0.0, 5.0, 21):
        radius[c] = eps
        values.append(dr_loss(features, labels, centroids, radius, scope=scope, temperature=0.5).item())
    assert (np.diff(values) > 0).all()


@every_scope
def test_gradient_of_the_radius_is_the_probability_left_to_the_others(rng, scope):
    # Class scope: m (1 - P(S_c | mu_c)) / (T C); sample scope: with the mean of P(z | mu_c) over S_c.
    features, labels, centroids, radius = make_batch(rng, num_classes=5, present=[0, 2, 4])
    margin, temperature = 2.0, 0.6
    radius.requires_grad_()
    dr_loss(features, labels, centroids, radius, margin=margin, temperature=temperature, scope=scope).backward()
    distances = np.linalg.norm(centroids.numpy()[:, None] - features.numpy()[None], axis=2)
    expected = np.zeros(5)
    present = sorted(set(labels.tolist()))
    for c in present:
        own, shift = labels.numpy() == c, margin * radius[c].item()
        plain = np.exp(-distances[c] / temperature)
        moved = np.exp(-(distances[c] + shift) / temperature)
        if scope == 'class':
            probability = moved[own].sum() / (moved[own].sum() + plain[~own].sum())
        else:
            probability = np.mean(moved[own] / (plain.sum() - plain[own] + moved[own]))
        expected[c] = margin * (1 - probability) / (temperature * len(present))
    np.testing.assert_allclose(radius.grad.numpy(), expected, rtol=1e-9, atol=0)


@every_scope
@every_distance
@pytest.mark.parametrize('junk', [1e6, float('nan')])
def test_absent_class_plays_no_part(rng, scope, distance, junk):
    features, labels, centroids, radius = make_batch(rng, present=[0, 1, 3])
    weight = torch.from_numpy(rng.uniform(0.1, 3.0, size=5))
    options = dict(scope=scope, distance=distance)
    expected = dr_loss(features, labels, centroids, radius, class_weight=weight, **options).item()
    centroids[[2, 4]] = junk
    radius[[2, 4]] = 1e6
    weight[[2, 4]] = 1e6
    for tensor in (features, radius):
        tensor.requires_grad_()
    value = dr_loss(features, labels, centroids, radius, class_weight=weight, **options)
    close(value, expected, atol=1e-12)
    value.backward()
    assert radius.grad[[2, 4]].tolist() == [0.0, 0.0]
    assert (radius.grad[[0, 1, 3]] > 0).all()
    assert features.grad.isfinite().all()


@every_scope
def test_centroids_are_constants(rng, scope):
    features, labels, centroids, radius = make_batch(rng)
    centroids.requires_grad_()
    dr_loss(features.requires_grad_(), labels, centroids, radius, scope=scope).backward()
    assert centroids.grad is None
    assert features.grad.abs().sum() > 0


@every_scope
def test_class_weights_are_relative(rng, scope):
    batch = make_batch(rng)
    weight = torch.from_numpy(rng.uniform(0.1, 3.0, size=5))
    value = dr_loss(*batch, class_weight=weight, scope=scope).item()
    close(dr_loss(*batch, class_weight=10 * weight, scope=scope), value, atol=1e-12)
    close(dr_loss(*batch, class_weight=torch.ones(5).double(), scope=scope), dr_loss(*batch, scope=scope).item())


@every_scope
def test_zero_weights_of_the_present_classes_give_a_zero_loss_that_can_be_differentiated(rng, scope):
    features, labels, centroids, radius = make_batch(rng, present=[0, 1])
    weight = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    features.requires_grad_()
    value = dr_loss(features, labels, centroids, radius, class_weight=weight, scope=scope)
    assert value.item() == 0.0
    value.backward()
    assert features.grad.abs().max() == 0


@every_scope
@every_distance
def test_one_sample_of_one_class_has_loss_zero(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng, batch=1, num_classes=1)
    features.requires_grad_()
    value = dr_loss(features, labels, centroids, radius, scope=scope, distance=distance)
    close(value, 0.0, atol=1e-12)
    value.backward()
    assert features.grad.abs().max() < 1e-12


def test_inputs_are_left_as_they_were(rng):
    batch = make_batch(rng)
    before = [x.clone() for x in batch]
    dr_loss(*batch, scope='sample', distance='chord')
    for now, then in zip(batch, before, strict=True):
        assert_close(now, then, rtol=0, atol=0)
