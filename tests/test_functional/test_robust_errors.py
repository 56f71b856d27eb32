"""Bad input of the robust centroid loss is refused with a sentence that names what came."""

import itertools

import pytest
import torch
from cases import make_batch, saying

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
        (dict(margin=-1.5), ('margin', r'-1\.5')),
        (dict(margin=float('nan')), ('margin', 'nan')),
        (dict(class_weight=torch.tensor([-1.0] * 5)), ('class_weight', '-1')),
        (dict(class_weight=torch.tensor([float('nan')] * 5)), ('class_weight', 'nan')),
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
        (lambda z, y, mu, r: (z, y, mu[0], r), ('centroids', r'\(4,\)|\[4\]')),
        (lambda z, y, mu, r: (z, y, mu, r[:3]), ('radius', '5', '3')),
        (lambda z, y, mu, r: (z, y, mu, r[:, None]), ('radius', '5, 1')),
        (lambda z, y, mu, r: (z[:0], y[:0], mu, r), ('features|batch', r'empty|\b0\b')),
        (lambda z, y, mu, r: (z, with_value(y, 7), mu, r), ('labels', '5', '7')),
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
    with pytest.raises(ValueError, match=saying(*words)):
        dr_loss(*change(*make_batch(rng)))
