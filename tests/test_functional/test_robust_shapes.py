"""The robust loss on batches of every shape: one sample, one class, one dimension, duplicates, many classes."""

import math

import numpy as np
import pytest
from cases import (
    DISTANCES,
    SCOPES,
    close,
    direct_loss,
    every_distance,
    every_scope,
    loop,
    make_batch,
    value_and_gradients,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from mmdrl.functional import dr_loss


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 40),
    num_classes=st.integers(1, 40),
    dim=st.integers(1, 20),
    scope=st.sampled_from(SCOPES),
    distance=st.sampled_from(DISTANCES),
    temperature=st.sampled_from([0.1, 1.0, 10.0]),
    margin=st.floats(0.0, 3.0),
)
# Directions in one dimension coincide or are opposite: on some processors products of them have 1e-16 in place of 0.
@example(seed=0, batch=13, num_classes=7, dim=1, scope='class', distance='chord', temperature=0.1, margin=0.0)
def test_any_shape_has_the_right_gradients(seed, batch, num_classes, dim, scope, distance, temperature, margin):
    tensors = make_batch(np.random.default_rng(seed), batch, num_classes, dim)
    options = dict(scope=scope, distance=distance, temperature=temperature, margin=margin)
    found = value_and_gradients(dr_loss, *tensors, **options)
    assert_close(found, value_and_gradients(direct_loss, *tensors, **options), rtol=1e-9, atol=1e-9)


@every_scope
@every_distance
@pytest.mark.parametrize('num_classes', [1, 4])
def test_one_sample_alone_has_loss_and_gradients_zero(rng, scope, distance, num_classes):
    # Its softmax has one entry, whatever the margin.
    tensors = make_batch(rng, batch=1, num_classes=num_classes)
    value, *gradients = value_and_gradients(dr_loss, *tensors, scope=scope, distance=distance, margin=2.0)
    close(value, 0.0, atol=1e-12)
    assert [g.abs().max().item() for g in gradients] == pytest.approx([0.0, 0.0], abs=1e-12)


@every_scope
@every_distance
def test_batch_of_one_class_equals_the_loop(rng, scope, distance):
    tensors = make_batch(rng, present=[3])
    options = dict(scope=scope, distance=distance, margin=2.0)
    close(dr_loss(*tensors, **options), loop(*tensors, **options))


@every_distance
def test_drawing_every_sample_twice_adds_log_two_in_class_scope(rng, distance):
    features, labels, centroids, radius = make_batch(rng)
    once = dr_loss(features, labels, centroids, radius, distance=distance)
    twice = dr_loss(features.repeat(2, 1), labels.repeat(2), centroids, radius, distance=distance)
    close(twice, once.item() + math.log(2))


@every_scope
@every_distance
def test_duplicates_of_samples_get_equal_gradients(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng)
    features, labels = features.repeat(3, 1), labels.repeat(3)
    options = dict(scope=scope, distance=distance)
    value, gradient, _ = value_and_gradients(dr_loss, features, labels, centroids, radius, **options)
    close(value, loop(features, labels, centroids, radius, **options))
    assert_close(gradient[:12], gradient[12:24])
    assert_close(gradient[:12], gradient[24:])


@every_scope
@every_distance
def test_only_the_classes_present_matter_among_five_thousand(rng, scope, distance):
    features, labels, centroids, radius = make_batch(rng, batch=20, num_classes=5000)
    found = value_and_gradients(dr_loss, features, labels, centroids, radius, scope=scope, distance=distance)
    present, renumbered = labels.unique(return_inverse=True)
    batch = features, renumbered, centroids[present], radius[present]
    few = value_and_gradients(dr_loss, *batch, scope=scope, distance=distance)
    assert_close(found[:2], few[:2], rtol=1e-12, atol=1e-12)
    assert_close(found[2][present], few[2], rtol=1e-12, atol=1e-12)
    assert found[2].count_nonzero() == len(present)


@every_scope
@every_distance
def test_many_samples_of_few_classes(rng, scope, distance):
    tensors = make_batch(rng, batch=300, num_classes=3)
    options = dict(scope=scope, distance=distance)
    found = value_and_gradients(dr_loss, *tensors, **options)
    assert_close(found, value_and_gradients(direct_loss, *tensors, **options), rtol=1e-9, atol=1e-9)


@every_distance
def test_inputs_are_left_as_they_were(rng, distance):
    batch = make_batch(rng)
    before = [x.clone() for x in batch]
    dr_loss(*batch, scope='sample', distance=distance)
    for now, then in zip(batch, before, strict=True):
        assert_close(now, then, rtol=0, atol=0)


@every_distance
def test_tensors_that_are_not_contiguous_are_taken(rng, distance):
    features, labels, centroids, radius = make_batch(rng)
    strided = features.t().contiguous().t(), labels.repeat_interleave(2)[::2], centroids.t().contiguous().t()
    value = dr_loss(*strided, radius.repeat_interleave(3)[::3], distance=distance)
    close(value, dr_loss(features, labels, centroids, radius, distance=distance).item(), atol=1e-12)
