r"""The Distributional Robustness (DR) loss, class centroids, and the nearest-class-mean rule.

The loss asks of every centroid, not of every sample: *which samples of this batch are mine?* Row i of the
(B, B) matrix below belongs to the centroid of sample i's class, and its softmax runs over the samples of
the batch. One row per sample, rather than per class present, keeps all shapes static: nothing waits for
the device, and the cost depends on neither the number of classes nor the size of the training set.

Source: Samuel & Chechik, "Distributional Robustness Loss for Long-tail Learning", ICCV 2021. Which
section and equation stands behind each line has not been checked against the printed paper.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

Distance = Literal['euclidean', 'chord']
Scope = Literal['class', 'sample']


def dr_loss(
    features: Tensor,
    labels: Tensor,
    centroids: Tensor,
    radius: Tensor,
    *,
    distance: Distance = 'euclidean',
    temperature: float = 1.0,
    margin: float = 1.0,
    scope: Scope = 'class',
    class_weight: Tensor | None = None,
) -> Tensor:
    r"""Mean over the classes present of each class's mean negative log-probability, at its worst.

    With distance :math:`d`, radius :math:`\varepsilon_c`, temperature T and margin m, a sample z of class c has

    .. math::
        -\log \frac{e^{-(d(\mu_c, z) + m\varepsilon_c)/T}}
                   {\sum_{z'} e^{-(d(\mu_c, z') + m\varepsilon_c\,\delta(z'))/T}}

    where the sum runs over the samples of the batch. ``scope`` says which of them carry the margin:
    ``'class'`` all samples of class c, as in the authors' code (with m = 1); ``'sample'`` only z itself. With
    ``scope='sample'`` and m = 2 the value is an upper bound on the loss under every centroid within
    :math:`\varepsilon_c` of :math:`\mu_c`, by the triangle inequality. The class scope is no such bound: in a
    batch of one class its margin cancels and the loss is the plain one, ``radius = 0``.

    Args:
        features: z, shape ``(B, D)``. Half precision is computed in float32.
        labels: Class of each sample, shape ``(B,)``, long, in ``[0, K)``.
        centroids: :math:`\mu`, shape ``(K, D)``. A constant: no gradient flows into it.
        radius: :math:`\varepsilon`, shape ``(K,)``, not negative, in the unit of the distance.
        distance: ``'euclidean'``, or ``'chord'``: Euclidean after projection onto the unit sphere.
        temperature: T, above 0, in the unit of the distance.
        margin: m, not negative.
        scope: Which samples carry the margin in the denominator, see above.
        class_weight: Shape ``(K,)``, not negative: turns the mean over the classes present into the weighted
            mean over them. If all of them weigh 0 the loss is 0.

    Returns:
        The loss, a scalar of the features' dtype (float32 for half precision). A class that is not in the
        batch contributes nothing.

    Raises:
        ValueError: If shapes disagree or a choice is unknown; for tensors on the CPU also if a label lies
            outside ``[0, K)``, a radius of a class present is negative, or a value in use is not finite. On an
            accelerator these last checks would stall the device and are left out.
    """
    _check_choices(distance, temperature, margin, scope)
    _check_shapes(features, labels, centroids, radius, class_weight)
    if not features.is_cuda:
        _check_values(features, labels, centroids, radius)
    features = _at_least_float32(features)
    centroids = centroids.detach().to(features.dtype)
    radius = radius.to(features.dtype)

    distances = _pairwise_distance(centroids[labels], features, distance)  # (B, B)
    is_same_class = labels[:, None] == labels  # (B, B)
    if scope == 'class':
        has_margin = is_same_class
    else:
        has_margin = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    distances = distances + (margin * radius[labels])[:, None] * has_margin
    # Row-wise: each centroid competes for the samples of the batch, not the reverse.
    log_prob = (-distances / temperature).log_softmax(dim=1).diagonal()  # (B,)

    # 1 / |S_c| per sample: the weights of a class sum to its class weight.
    weight = 1 / is_same_class.sum(dim=1).to(features.dtype)
    if class_weight is not None:
        weight = weight * class_weight.to(features.dtype)[labels]
    return -(weight * log_prob).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)


def class_centroids(features: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Mean feature and number of samples of every class.

    Args:
        features: Shape ``(N, D)``. Half precision is summed in float32.
        labels: Class of each sample, shape ``(N,)``, long, in ``[0, K)``.
        num_classes: K.

    Returns:
        Means, shape ``(K, D)``, and counts, shape ``(K,)``, long. An absent class has count 0 and a row of 0.

    Raises:
        ValueError: If shapes disagree, or (checked on the CPU) a label lies outside ``[0, K)``.
    """
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f'Expected features (N, D) and labels (N,), got {tuple(features.shape)} and {tuple(labels.shape)}.'
        )
    if not labels.is_cuda:
        _check_labels(labels, num_classes)
    features = _at_least_float32(features)
    counts = torch.zeros(num_classes, dtype=torch.long, device=labels.device)
    counts.index_add_(0, labels, torch.ones_like(labels))
    sums = features.new_zeros(num_classes, features.shape[1]).index_add(0, labels, features)
    return sums / counts.clamp_min(1)[:, None], counts


def nearest_centroid(
    features: Tensor, centroids: Tensor, metric: Literal['euclidean', 'cosine'] = 'euclidean'
) -> Tensor:
    """Row of the nearest centroid for every feature: the nearest-class-mean (NCM) classifier.

    Args:
        features: Shape ``(B, D)``.
        centroids: Shape ``(K, D)``, K at least 1.
        metric: Euclidean distance, or cosine of the angle, which ignores lengths.

    Returns:
        Class of each feature, shape ``(B,)``, long. The lower class wins a tie.

    Raises:
        ValueError: If the widths differ, there is no centroid, or the metric is unknown.
    """
    if features.ndim != 2 or centroids.ndim != 2 or features.shape[1] != centroids.shape[1]:
        raise ValueError(
            f'Expected features (B, D) and centroids (K, D) of one width D, got {tuple(features.shape)} '
            f'and {tuple(centroids.shape)}.'
        )
    if len(centroids) == 0:
        raise ValueError('Expected at least one centroid, got none: the nearest of none is undefined.')
    features, centroids = _at_least_float32(features), _at_least_float32(centroids)
    if metric == 'cosine':
        return (normalize(features, dim=1) @ normalize(centroids, dim=1).T).argmax(dim=1)
    if metric == 'euclidean':
        return _pairwise_distance(features, centroids, 'euclidean').argmin(dim=1)
    raise ValueError(f"metric must be 'euclidean' or 'cosine', got {metric!r}.")


def _at_least_float32(tensor: Tensor) -> Tensor:
    """Half precision has no digits to spare for distances and log-sum-exp."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _pairwise_distance(x: Tensor, y: Tensor, distance: Distance) -> Tensor:
    """Distances (rows of x, rows of y). Not by matrix product, which loses 1e-2 in float32 on tight clusters."""
    if distance == 'chord':
        x, y = normalize(x, dim=1), normalize(y, dim=1)
    # cdist's gradient at distance 0 is 0, where a plain square root gives nan.
    return torch.cdist(x, y.to(x.dtype), compute_mode='donot_use_mm_for_euclid_dist')


def _check_choices(distance: str, temperature: float, margin: float, scope: str) -> None:
    if distance not in ('euclidean', 'chord'):
        raise ValueError(f"distance must be 'euclidean' or 'chord', got {distance!r}.")
    if scope not in ('class', 'sample'):
        raise ValueError(f"scope must be 'class' or 'sample', got {scope!r}.")
    if not temperature > 0:
        raise ValueError(f'temperature must be above 0, got {temperature}.')
    if not margin >= 0:
        raise ValueError(f'margin must not be negative, got {margin}.')


def _check_shapes(
    features: Tensor, labels: Tensor, centroids: Tensor, radius: Tensor, class_weight: Tensor | None
) -> None:
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f'Expected features (B, D) and labels (B,), got {tuple(features.shape)} and {tuple(labels.shape)}.'
        )
    if len(labels) == 0:
        raise ValueError('Expected at least one sample, got an empty batch.')
    if centroids.ndim != 2 or centroids.shape[1] != features.shape[1]:
        raise ValueError(
            f'Expected centroids (K, {features.shape[1]}) to fit features of width {features.shape[1]}, '
            f'got {tuple(centroids.shape)}.'
        )
    for name, tensor in (('radius', radius), ('class_weight', class_weight)):
        if tensor is not None and tensor.shape != centroids.shape[:1]:
            raise ValueError(
                f'Expected {name} ({len(centroids)},) to fit {len(centroids)} centroids, got {tuple(tensor.shape)}.'
            )


def _check_labels(labels: Tensor, num_classes: int) -> None:
    if len(labels) and not (0 <= int(labels.min()) and int(labels.max()) < num_classes):
        worst = int(labels.max()) if int(labels.max()) >= num_classes else int(labels.min())
        raise ValueError(
            f'labels must lie in [0, {num_classes}), got {worst}. Does num_classes match the data set?'
        )


def _check_values(features: Tensor, labels: Tensor, centroids: Tensor, radius: Tensor) -> None:
    _check_labels(labels, len(centroids))
    for name, rows in (('features', features), ('centroids', centroids[labels]), ('radius', radius[labels])):
        is_bad = ~rows.detach().isfinite()
        if is_bad.any():
            sample = int(is_bad.reshape(len(rows), -1).any(dim=1).nonzero()[0])
            raise ValueError(
                f'{name} must be finite, got nan or inf for sample {sample} of the batch, class '
                f'{int(labels[sample])}. Has training diverged? Try a lower learning rate.'
            )
    if (radius[labels] < 0).any():
        worst = labels[radius[labels].argmin()]
        raise ValueError(f'radius must not be negative, got {float(radius[worst])} for class {int(worst)}.')
