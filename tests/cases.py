"""Random batches for the robust loss, its value and gradients in float64, and comparisons that tests share."""

import numpy as np
import pytest
import torch
from reference import dr_loss_loop

SCOPES = ('class', 'sample')
DISTANCES = ('euclidean', 'chord', 'squared', 'cosine')
every_scope = pytest.mark.parametrize('scope', SCOPES)
every_distance = pytest.mark.parametrize('distance', DISTANCES)
SCENES = (
    'offset 30 tight',
    'offset 300 loose',
    'offset 1000 tight',
    'collapsed',
    'twins',
    'two places',
    'middling',
    'loose',
    'outlier',
)
DEFAULTS = dict(temperature=1.0, margin=1.0, scope='class', distance='euclidean')


def make_batch(rng, batch=12, num_classes=5, dim=4, present=None):
    """Random float64 ``features, labels, centroids, radius``; ``present`` restricts the labels."""
    labels = rng.choice(np.arange(num_classes) if present is None else present, size=batch)
    return (
        torch.from_numpy(rng.normal(size=(batch, dim))),
        torch.from_numpy(labels.astype(np.int64)),
        torch.from_numpy(rng.normal(size=(num_classes, dim))),
        torch.from_numpy(rng.uniform(0.1, 1.5, size=num_classes)),
    )


def cast(batch, dtype=torch.float32):
    """The batch with its floating point tensors in ``dtype``."""
    return tuple(x.to(dtype) if x.is_floating_point() else x for x in batch)


def loop(features, labels, centroids, radius, class_weight=None, **options):
    """The oracle with the defaults of ``dr_loss``, as a float."""
    arrays = [x.detach().double().numpy() for x in (features, labels, centroids, radius)]
    return dr_loss_loop(*arrays, class_weight=class_weight, **DEFAULTS | options)


def direct_distances(features, centroids, distance):
    """Distances ``(..., K, B)`` of ``(..., B, D)`` and ``(..., K, D)``, each from a difference of its own."""
    if distance in ('chord', 'cosine'):
        features, centroids = direction(features), direction(centroids)
    squared = (centroids.unsqueeze(-2) - features.unsqueeze(-3)).square().sum(-1)
    if distance in ('squared', 'cosine'):
        return squared if distance == 'squared' else squared / 2
    is_zero = squared == 0  # the gradient of the distance is 0 there
    return squared.masked_fill(is_zero, 1).sqrt().masked_fill(is_zero, 0)


def direction(x):
    """``x / |x|`` along the last axis; zero, without a gradient, for a zero vector."""
    is_zero = (x == 0).all(-1, keepdim=True)
    return x.masked_fill(is_zero, 0) / x.masked_fill(is_zero, 1).square().sum(-1, keepdim=True).sqrt()


def direct_loss(features, labels, centroids, radius, class_weight=None, **options):
    """The robust loss written out for autograd: every softmax on its own, all in float64."""
    options = DEFAULTS | options
    features, centroids, radius = (x.double() for x in (features, centroids, radius))
    present, sizes = labels.unique(return_counts=True)
    own = labels == present[:, None]  # (C, B)
    logits = -direct_distances(features, centroids[present], options['distance']) / options['temperature']
    shift = options['margin'] * radius[present] / options['temperature']  # (C,)
    if options['scope'] == 'class':
        log_prob = (logits - own * shift[:, None]).log_softmax(-1)
    else:
        moved = logits[:, None] - torch.eye(len(labels)) * shift[:, None, None]  # (C, moved sample, B)
        log_prob = moved.log_softmax(-1).diagonal(dim1=1, dim2=2)
    class_loss = -(log_prob * own).sum(1) / sizes
    weight = torch.ones(len(present)) if class_weight is None else torch.as_tensor(class_weight)[present]
    return (weight.double() * class_loss).sum() / weight.double().sum()


def scene(rng, name, batch, dim=16):
    """float32 batch of a hard arrangement, with several samples of every class if the batch is large enough."""
    num_classes = max(2, min(12, batch // 3))
    labels = torch.arange(batch) % num_classes
    noise, spots, centres = (torch.from_numpy(rng.normal(size=(n, dim))) for n in (batch, num_classes, num_classes))
    radius = torch.from_numpy(rng.uniform(0.1, 1.5, size=num_classes))
    spread = 0.05 if name == 'offset 300 loose' else 0.01
    if name.startswith('offset'):
        centroids = spread * spots + float(name.split()[1])
    elif name == 'collapsed':  # every class on its centroid, the centroids 100 or more apart
        centroids = 100 * centres
    elif name == 'twins':  # two classes 0.01 apart, 100 or more from the rest: centring the batch cannot help
        centroids = 100 * centres
        centroids[1] = centroids[0] + 0.01 * torch.nn.functional.normalize(spots[1], dim=0)
        noise *= 0.3
    elif name == 'middling':  # clusters that are neither tight nor loose beside the distances between them
        centroids, spread = 100 * centres, 5.0
    elif name == 'loose':  # as above, where a distance in float32 products has the fewest digits left
        centroids, spread = 100 * centres, 15.0
    elif name == 'two places':  # half the classes in one place and half in another: most pairs are close
        centroids = spread * spots
        centroids[::2] += 100
        centroids[1::2] -= 100
    elif name == 'outlier':  # everything in one place, and one sample far away
        centroids = spread * spots + 30
    else:
        return cast((noise, labels, centres, radius))
    features = centroids[labels] + spread * noise
    if name == 'outlier':
        features[-1] += 1000
    return cast((features, labels, centroids, radius))


def value_and_gradients(loss, features, labels, centroids, radius, **options):
    """``loss`` of the batch and its gradients to the features and to the radius, in the precision of the batch."""
    features, radius = (x.detach().clone().requires_grad_() for x in (features, radius))
    value = loss(features, labels, centroids, radius, **options)
    value.backward()
    return value.detach(), features.grad, radius.grad


def pull(features, labels, centroids, radius, distance='euclidean', temperature=1.0, **_):
    """The loss without its denominators: its gradients are what those of the loss would be if nothing competed."""
    sizes, present = labels.bincount()[labels], labels.unique().numel()
    own = direct_distances(features, centroids, distance)[labels, torch.arange(len(labels))]
    return ((own + radius[labels]) / (temperature * sizes * present)).sum()


def relative_errors(loss, batch, **options):
    """Errors of ``loss`` in float32 against float64: value, feature gradient, its worst sample, radius gradient.

    Next to 1, float32 keeps nothing of a loss of e^-100, nor of a pull and a push that cancel. So a value counts as
    1e-3 at least, a gradient as 1e-3 of the pull alone, that of one sample as a tenth of its pull.
    """
    value, *found = value_and_gradients(loss, *batch, **options)
    assert [x.dtype for x in (value, *found)] == [torch.float32] * 3
    batch = cast(batch, torch.float64)
    truth, *expected = value_and_gradients(direct_loss, *batch, **options)
    _, *pulls = value_and_gradients(pull, *batch, **options)
    errors = [abs(value - truth) / truth.clamp(min=1e-3)]
    for is_, should_be, alone in zip(found, expected, pulls, strict=True):
        errors.append((is_ - should_be).norm() / torch.maximum(should_be.norm(), 1e-3 * alone.norm()))
    sizes = torch.maximum(expected[0].norm(dim=1), 0.1 * pulls[0].norm(dim=1))
    errors.append(((found[0] - expected[0]).norm(dim=1) / sizes.clamp(min=1e-30)).max())
    return [error.item() for error in errors]


def close(value, expected, atol=1e-10):
    assert value.shape == ()
    assert value.item() == pytest.approx(expected, rel=atol, abs=atol)


def saying(*words):
    """Pattern of a message that holds all the words, in any order."""
    return '(?s)' + ''.join(f'(?=.*(?:{word}))' for word in words)
