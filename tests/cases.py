"""Random batches for the robust loss and the comparisons its tests share."""

import numpy as np
import pytest
import torch
from reference import dr_loss_loop

SCOPES = ('class', 'sample')
DISTANCES = ('euclidean', 'chord')
every_scope = pytest.mark.parametrize('scope', SCOPES)
every_distance = pytest.mark.parametrize('distance', DISTANCES)


def make_batch(rng, batch=12, num_classes=5, dim=4, present=None):
    """Random float64 ``features, labels, centroids, radius``; ``present`` restricts the labels."""
    labels = rng.choice(np.arange(num_classes) if present is None else present, size=batch)
    return (
        torch.from_numpy(rng.normal(size=(batch, dim))),
        torch.from_numpy(labels.astype(np.int64)),
        torch.from_numpy(rng.normal(size=(num_classes, dim))),
        torch.from_numpy(rng.uniform(0.1, 1.5, size=num_classes)),
    )


def loop(features, labels, centroids, radius, class_weight=None, **options):
    """The oracle with the defaults of ``dr_loss``, as a float."""
    options = dict(temperature=1.0, margin=1.0, scope='class', distance='euclidean') | options
    arrays = [x.double().numpy() for x in (features, labels, centroids, radius)]
    return dr_loss_loop(*arrays, class_weight=class_weight, **options)


def close(value, expected, atol=1e-10):
    assert value.shape == ()
    assert value.item() == pytest.approx(expected, rel=atol, abs=atol)


def saying(*words):
    """Pattern of a message that holds all the words, in any order."""
    return '(?s)' + ''.join(f'(?=.*(?:{word}))' for word in words)
