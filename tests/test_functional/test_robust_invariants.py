"""What may and may not change the robust centroid loss, and its gradients in closed form."""

import numpy as np
import pytest
import torch
from cases import DISTANCES, SCOPES, close, every_distance, every_scope, make_batch, value_and_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from mmdrl.functional import dr_loss


@every_scope
@every_distance
def test_zero_radius_or_zero_margin_gives_the_plain_loss(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    # The plain loss, written without scope or margin.
    z, mu = features.numpy(), centroids.numpy()
    if distance in ('chord', 'cosine'):
        z, mu = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (z, mu))
    length = np.linalg.norm(mu[:, None] - z[None], axis=2)
    logits = -{'euclidean': length, 'chord': length, 'squared': length**2, 'cosine': 1 - mu @ z.T}[distance] / 0.3
    log_prob = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    plain = -np.mean([log_prob[c, labels.numpy() == c].mean() for c in sorted(set(labels.tolist()))])
    options = dict(temperature=0.3, scope=scope, distance=distance)
    close(dr_loss(features, labels, centroids, torch.zeros(5).double(), margin=2.0, **options), plain)
    close(dr_loss(features, labels, centroids, radius, margin=0.0, **options), plain)


@every_scope
@every_distance
def test_batch_order_does_not_matter(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    order = torch.from_numpy(rng.permutation(12))
    options = dict(scope=scope, distance=distance)
    value, gradient, of_radius = value_and_gradients(dr_loss, features, labels, centroids, radius, **options)
    shuffled = value_and_gradients(dr_loss, features[order], labels[order], centroids, radius, **options)
    assert_close(shuffled, (value, gradient[order], of_radius), rtol=1e-12, atol=1e-12)


@every_scope
@every_distance
def test_names_of_the_classes_do_not_matter(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    weight = torch.from_numpy(rng.uniform(0.1, 3.0, size=5))
    new_name = torch.from_numpy(rng.permutation(5))
    renamed = [torch.empty_like(x) for x in (centroids, radius, weight)]
    for new, old in zip(renamed, (centroids, radius, weight), strict=True):
        new[new_name] = old
    options = dict(scope=scope, distance=distance)
    value = dr_loss(features, new_name[labels], renamed[0], renamed[1], class_weight=renamed[2], **options)
    expected = dr_loss(features, labels, centroids, radius, class_weight=weight, **options)
    close(value, expected.item(), atol=1e-12)


@every_distance
@every_scope
def test_rotation_of_the_space_changes_nothing(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    turn = torch.linalg.qr(torch.from_numpy(rng.normal(size=(4, 4))))[0]
    options = dict(scope=scope, distance=distance)
    value = dr_loss(features, labels, centroids, radius, **options).item()
    close(dr_loss(features @ turn, labels, centroids @ turn, radius, **options), value)


@every_distance
@every_scope
def test_translation_or_lengths_change_nothing(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    value = dr_loss(features, labels, centroids, radius, scope=scope, distance=distance).item()
    if distance in ('euclidean', 'squared'):
        shift = 100 * torch.from_numpy(rng.normal(size=4))
        moved = dr_loss(features + shift, labels, centroids + shift, radius, scope=scope, distance=distance)
    else:
        # Every vector by a length of its own, from 1e-6 to 1e6.
        lengths = torch.from_numpy(10 ** rng.uniform(-6, 6, size=(12 + 5, 1)))
        batch = lengths[:12] * features, labels, lengths[12:] * centroids, radius
        moved = dr_loss(*batch, scope=scope, distance=distance)
    close(moved, value)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    scope=st.sampled_from(SCOPES),
    distance=st.sampled_from(DISTANCES),
    temperature=st.sampled_from([0.1, 1.0, 5.0]),
    steps=st.lists(st.floats(0.0, 3.0), min_size=3, max_size=3),
)
def test_larger_radii_never_lower_the_loss(seed, scope, distance, temperature, steps):
    features, labels, centroids, radius = make_batch(np.random.default_rng(seed), batch=8, num_classes=3)
    options = dict(scope=scope, distance=distance, temperature=temperature, margin=2.0)
    last = dr_loss(features, labels, centroids, radius, **options)
    for c, step in enumerate(steps):
        radius[c] += step
        larger = dr_loss(features, labels, centroids, radius, **options)
        assert larger >= last * (1 - 1e-14)  # class scope of a batch of one class does not depend on the radius
        last = larger


@every_scope
@every_distance
@pytest.mark.parametrize('c', range(3))
def test_larger_radius_raises_the_loss_while_others_compete(rng, scope, distance, c):
    features, labels, centroids, radius = make_batch(rng, num_classes=3)
    values = []
    for eps in np.linspace(0.0, 5.0, 21):
        radius[c] = eps
        values.append(dr_loss(features, labels, centroids, radius, scope=scope, distance=distance).item())
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
@pytest.mark.parametrize('junk', [1e6, float('nan'), float('inf'), float('-inf')])
def test_absent_class_plays_no_part(rng, scope, distance, junk):
    features, labels, centroids, radius = make_batch(rng, present=[0, 1, 3])
    weight = torch.from_numpy(rng.uniform(0.1, 3.0, size=5))
    options = dict(scope=scope, distance=distance)
    expected = value_and_gradients(dr_loss, features, labels, centroids, radius, class_weight=weight, **options)
    centroids[[2, 4]], radius[[2, 4]] = junk, junk
    weight[[2, 4]] = 1e6
    changed = value_and_gradients(dr_loss, features, labels, centroids, radius, class_weight=weight, **options)
    assert_close(changed, expected, rtol=1e-12, atol=1e-12)
    assert changed[2][[2, 4]].tolist() == [0.0, 0.0]
    assert (changed[2][[0, 1, 3]] > 0).all()


@every_scope
@every_distance
def test_centroids_and_class_weights_are_constants(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    centroids.requires_grad_()
    weight = torch.ones(5, dtype=torch.float64, requires_grad=True)
    options = dict(scope=scope, distance=distance, class_weight=weight)
    dr_loss(features.requires_grad_(), labels, centroids, radius.requires_grad_(), **options).backward()
    assert centroids.grad is None or centroids.grad.abs().max() == 0
    assert weight.grad is None or weight.grad.abs().max() == 0
    assert features.grad.abs().sum() > 0
    assert radius.grad.abs().sum() > 0
