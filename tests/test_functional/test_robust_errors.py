"""Bad input of the robust centroid loss is refused with a sentence that names what came."""

import itertools

import pytest
import torch
from cases import DISTANCES, cast, every_distance, every_scope, loop, make_batch, saying, value_and_gradients

from mmdrl.functional import dr_loss


def with_value(x, value, index=0):
    changed = x.clone()
    changed.view(-1)[index] = value
    return changed


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(scope='batch'), ('scope', 'batch')),
        (dict(distance='manhattan'), ('distance', 'manhattan')),
        (dict(temperature=0.0), ('temperature', r'0')),
        (dict(temperature=-0.5), ('temperature', r'-0\.5')),
        (dict(temperature=float('nan')), ('temperature', 'nan')),
        (dict(temperature=float('inf')), ('temperature', 'inf')),
        (dict(margin=-1.5), ('margin', r'-1\.5')),
        (dict(margin=float('nan')), ('margin', 'nan')),
        (dict(margin=float('inf')), ('margin', 'inf')),
        (dict(class_weight=torch.tensor([-1.0] * 5)), ('class_weight', '-1')),
        (dict(class_weight=torch.tensor([float('nan')] * 5)), ('class_weight', 'nan')),
        (dict(class_weight=torch.tensor([float('inf')] * 5)), ('class_weight', 'inf')),
        (dict(class_weight=torch.ones(4)), ('class_weight', '5', '4')),
        (dict(class_weight=torch.ones(5, 1)), ('class_weight', r'5, 1')),
    ],
)
def test_bad_options_are_named(rng, options, words):
    with pytest.raises(ValueError, match=saying(*words)):
        dr_loss(*make_batch(rng), **options)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda z, y, mu, r: (z[:, :3], y, mu, r), ('centroids', '3', '4')),
        (lambda z, y, mu, r: (z[0], y, mu, r), ('features', r'\(4,\)|\[4\]')),
        (lambda z, y, mu, r: (z, y[:7], mu, r), ('labels', '12', '7')),
        (lambda z, y, mu, r: (z, y[:, None], mu, r), ('labels', '12, 1')),
        # bool and uint8 labels would select rows as a mask.
        (lambda z, y, mu, r: (z, y.bool(), mu, r), ('labels', 'bool')),
        (lambda z, y, mu, r: (z[:5], y[:5].clamp(1, 4).byte(), mu, r), ('labels', 'uint8')),
        (lambda z, y, mu, r: (z, y.double(), mu, r), ('labels', 'float64')),
        (lambda z, y, mu, r: (z, y.int(), mu, r), ('labels', 'int32')),
        (lambda z, y, mu, r: (z, y, mu[0], r), ('centroids', r'\(4,\)|\[4\]')),
        (lambda z, y, mu, r: (z, y, mu, r[:3]), ('radius', '5', '3')),
        (lambda z, y, mu, r: (z, y, mu, r[:, None]), ('radius', '5, 1')),
        (lambda z, y, mu, r: (z[:0], y[:0], mu, r), ('features|batch', r'empty|\b0\b')),
        (lambda z, y, mu, r: (z, with_value(y, 7), mu, r), ('labels', '5', '7')),
        (lambda z, y, mu, r: (z, with_value(y, 5), mu, r), ('labels', r'5\)', 'got 5')),
        (lambda z, y, mu, r: (z, with_value(y, -1), mu, r), ('labels', '5', '-1')),
        (lambda z, y, mu, r: (z, y, mu, with_value(r, -0.25)), ('radius', r'-0\.25')),
        (lambda z, y, mu, r: (z, y, mu, with_value(r, float('inf'))), ('radius', 'inf')),
        (lambda z, y, mu, r: (z, y, mu, with_value(r, float('nan'))), ('radius', 'nan')),
        (lambda z, y, mu, r: (with_value(z, float('nan')), y, mu, r), ('features', 'nan|1 ')),
        (lambda z, y, mu, r: (with_value(z, float('-inf'), -1), y, mu, r), ('features', 'inf|1 ')),
        (
            lambda z, y, mu, r: (z, with_value(y, 0), with_value(mu, float('nan')), r),
            ('centroid', r'\b0\b|nan'),
        ),
        (
            lambda z, y, mu, r: (z, with_value(y, 0), with_value(mu, float('inf')), r),
            ('centroid', r'\b0\b|inf'),
        ),
    ],
    ids=itertools.count(),
)
def test_bad_tensors_are_named(rng, change, words):
    for distance in DISTANCES:
        with pytest.raises(ValueError, match=saying(*words)):
            dr_loss(*change(*make_batch(rng)), distance=distance)


@every_scope
@every_distance
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32, torch.float64])
def test_class_of_the_first_sample_that_is_not_finite_is_named(rng, scope, distance, dtype):
    features, labels, centroids, radius = make_batch(rng, num_classes=90, present=[3, 77])
    labels[5] = 41
    for value in (float('nan'), float('inf'), float('-inf')):
        features[5, 2], features[9, 0] = value, value
        with pytest.raises(ValueError, match=saying('features', r'\b41\b')):
            dr_loss(*cast((features, labels, centroids, radius), dtype), scope=scope, distance=distance)


@every_distance
def test_class_of_a_centroid_or_radius_that_is_not_finite_is_named(rng, distance):
    features, labels, centroids, radius = make_batch(rng, num_classes=90, present=[3, 41, 77])
    with pytest.raises(ValueError, match=saying('centroid', r'\b41\b')):
        dr_loss(features, labels, with_value(centroids, float('nan'), 4 * 41 + 1), radius, distance=distance)
    with pytest.raises(ValueError, match=saying('radius', 'not negative', r'\b41\b', r'-0\.5')):
        dr_loss(features, labels, centroids, with_value(radius, -0.5, 41), distance=distance)
    with pytest.raises(ValueError, match=saying('radius', r'\b41\b', r'-0\.5')):
        dr_loss(features, labels, centroids, with_value(radius, -0.5, 41), class_weight=torch.ones(90))


@every_scope
@every_distance
def test_sample_that_is_not_finite_is_refused_although_its_class_has_no_weight(rng, scope, distance):
    # It competes in the softmax of every other class.
    features, labels, centroids, radius = make_batch(rng)
    weight = torch.ones(5)
    weight[labels[0]] = 0
    with pytest.raises(ValueError, match='features'):
        dr_loss(
            with_value(features, float('nan')),
            labels,
            centroids,
            radius,
            class_weight=weight,
            scope=scope,
            distance=distance,
        )


@every_scope
@pytest.mark.parametrize('distance', ['euclidean', 'squared'])
@pytest.mark.parametrize('which', ['features', 'centroids', 'both'])
def test_distances_beyond_float32_are_refused(rng, scope, distance, which):
    # 1e30 is a float32, its square is not.
    batch = enlarged(cast(make_batch(rng)), which)
    with pytest.raises(ValueError, match=saying('large', r'e\+30')):
        dr_loss(*batch, scope=scope, distance=distance)


@every_scope
@pytest.mark.parametrize('distance', ['chord', 'cosine'])
@pytest.mark.parametrize('which', ['features', 'centroids', 'both'])
def test_directions_of_vectors_whose_squares_overflow_are_right(rng, scope, distance, which):
    batch, options = enlarged(cast(make_batch(rng)), which), dict(scope=scope, distance=distance)
    value, *gradients = value_and_gradients(dr_loss, *batch, **options)
    assert value.item() == pytest.approx(loop(*batch, **options), rel=1e-4)
    assert all(g.isfinite().all() for g in gradients)


def enlarged(batch, which):
    features, labels, centroids, radius = batch
    features = features * (1e30 if which in ('features', 'both') else 1)
    return features, labels, centroids * (1e30 if which in ('centroids', 'both') else 1), radius
