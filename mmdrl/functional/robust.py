r"""The Distributional Robustness (DR) loss.

The loss asks of every centroid, not of every sample: *which samples of this batch are mine?* Row i of the
(B, B) matrix below belongs to the centroid of sample i's class, and its softmax runs over the samples of
the batch. One row per sample, rather than per class present, keeps all shapes static: nothing waits for
the device, and the cost depends on neither the number of classes nor the size of the training set.

Source: Samuel & Chechik, "Distributional Robustness Loss for Long-tail Learning", ICCV 2021. Which
section and equation stands behind each line has not been checked against the printed paper.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from .checks import check_labels, check_pairs
from .distance import Distance, at_least_float32, pairwise_distance

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
    r"""Mean over the classes present of each class's mean negative log-probability, with a margin.

    .. math:: L = \frac{1}{\sum_c w_c} \sum_c \frac{w_c}{|S_c|} \sum_{z \in S_c} \ell(z)

    over the classes present, of which :math:`S_c` are the samples; all :math:`w_c` are 1 without
    ``class_weight``. With distance :math:`d`, radius :math:`\varepsilon_c`, temperature T and margin m,

    .. math::
        \ell(z) = -\log \frac{e^{-(d(\mu_c, z) + m\varepsilon_c)/T}}
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
        class_weight: w, shape ``(K,)``, not negative: turns the mean over the classes present into the weighted
            mean over them. If all of them weigh 0 the loss is 0.

    Returns:
        The loss, a scalar of the features' dtype (float32 for half precision). A class that is not in the
        batch contributes nothing.

    Raises:
        ValueError: If shapes or types disagree or a choice is unknown; for tensors on the CPU also if a label
            lies outside ``[0, K)``, or a value in use (a row of a class that is absent is not) is not finite or
            is a negative radius or weight. On an accelerator these last checks would stall the device and are
            left out.
    """
    _check_choices(distance, temperature, margin, scope)
    _check_shapes(features, labels, centroids, radius, class_weight)
    if features.device.type == 'cpu':
        _check_values(features, labels, centroids, radius, class_weight)
    features = at_least_float32(features)
    centroids = centroids.detach().to(features.dtype)
    radius = radius.to(features.dtype)

    distances = pairwise_distance(centroids[labels], features, distance)  # (B, B)
    is_same_class = labels[:, None] == labels  # (B, B)
    has_margin = is_same_class if scope == 'class' else torch.eye(len(labels), device=labels.device) > 0
    distances = torch.where(has_margin, distances + (margin * radius[labels])[:, None], distances)
    # Row-wise: each centroid competes for the samples of the batch, not the reverse.
    log_prob = (-distances / temperature).log_softmax(dim=1).diagonal()  # (B,)

    # 1 / |S_c| per sample: the weights of a class sum to its class weight.
    weight = 1 / is_same_class.sum(dim=1).to(features.dtype)
    if class_weight is not None:
        weight = weight * class_weight.to(features.dtype)[labels]
    return -(weight * log_prob).sum() / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)


def _check_choices(distance: str, temperature: float, margin: float, scope: str) -> None:
    if distance not in ('euclidean', 'chord'):
        raise ValueError(f"distance must be 'euclidean' or 'chord', got {distance!r}.")
    if scope not in ('class', 'sample'):
        raise ValueError(f"scope must be 'class' or 'sample', got {scope!r}.")
    if not 0 < temperature < math.inf:
        raise ValueError(f'temperature must be above 0 and finite, got {temperature}.')
    if not 0 <= margin < math.inf:
        raise ValueError(f'margin must be finite and not negative, got {margin}.')


def _check_shapes(
    features: Tensor, labels: Tensor, centroids: Tensor, radius: Tensor, class_weight: Tensor | None
) -> None:
    check_pairs(features, labels, 'B')
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


def _check_values(
    features: Tensor, labels: Tensor, centroids: Tensor, radius: Tensor, class_weight: Tensor | None
) -> None:
    check_labels(labels, len(centroids))
    in_use = {'features': features, 'centroids': centroids[labels], 'radius': radius[labels]}
    if class_weight is not None:
        in_use['class_weight'] = class_weight[labels]
    for name, rows in in_use.items():
        rows = rows.detach().reshape(len(labels), -1)
        is_bad = ~rows.isfinite()
        if name in ('radius', 'class_weight'):
            is_bad |= rows < 0
        if is_bad.any():
            sample, column = (int(index) for index in is_bad.nonzero()[0])
            bound = 'finite and not negative' if name in ('radius', 'class_weight') else 'finite'
            hint = ' Has training diverged? Try a lower learning rate.' if name == 'features' else ''
            raise ValueError(
                f'{name} must be {bound}, got {float(rows[sample, column])} for class {int(labels[sample])} '
                f'(sample {sample} of the batch).{hint}'
            )
