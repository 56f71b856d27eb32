r"""The Distributional Robustness (DR) loss.

The loss asks of every centroid, not of every sample: *which samples of this batch are mine?* Row i of the
(B, B) matrix below belongs to the centroid of sample i's class, and its softmax runs over the samples of
the batch. Distances are computed for the classes present only, so the cost depends on neither the number of classes
nor the size of the training set. ``docs/theorem.md`` has the proof, ``docs/dr_loss.md`` what each choice means.

Source: Samuel & Chechik, "Distributional Robustness Loss for Long-tail Learning", ICCV 2021. Which
section and equation stands behind each line has not been checked against the printed paper.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from .centroid_softmax import CentroidSoftmax
from .checks import check_choice, check_in_use, check_labels, check_number, check_pairs, is_static
from .distance import Distance, at_least_float32, directions

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
        distance: What d is, and so the unit of radius and temperature, and whether the bound holds:

            * ``'euclidean'``: :math:`|z - \mu|`; it holds for all centroids :math:`|\mu' - \mu| \le \varepsilon`.
            * ``'chord'``: Euclidean after projection onto the unit sphere, 0 to 2; it holds for the cap of directions
              within chord :math:`\varepsilon`.
            * ``'squared'``: :math:`|z - \mu|^2`; no constant margin bounds it, the radius is but a margin.
            * ``'cosine'``: :math:`1 - \cos(z, \mu)`, 0 to 2; it holds for the cap of directions within *chord*
              :math:`\varepsilon`, not for those within cosine distance :math:`\varepsilon`.
        temperature: T, above 0, in the unit of the distance.
        margin: m, not negative.
        scope: Which samples carry the margin in the denominator, see above.
        class_weight: w, shape ``(K,)``, not negative, a constant: turns the mean over the classes present into the
            weighted mean over them. If all of them weigh 0 the loss is 0.

    Returns:
        The loss, a scalar of the features' dtype (float32 for half precision), once differentiable in features and
        radius. A class that is not in the batch contributes nothing. A feature on its centroid, or (for chord and
        cosine) of length 0, has a finite gradient.

    Raises:
        ValueError: If shapes or types disagree or a choice is unknown; for tensors on the CPU also if a label
            lies outside ``[0, K)``, or a value in use (a row of a class that is absent is not) is not finite or
            is a negative radius or weight (:class:`~mmdrl.functional.UnusableValueError`, which is one, too). On an
            accelerator and under ``torch.compile`` these last checks would stall the device and are left out:
            there the value tells, which is not finite then, for a negative radius too.
        RuntimeError: If the gradient is asked for with ``create_graph=True``.
    """
    check_choice('distance', distance, get_args(Distance))
    check_choice('scope', scope, get_args(Scope))
    check_number('temperature', temperature, is_zero_allowed=False)
    check_number('margin', margin, is_zero_allowed=True)
    _check_shapes(features, labels, centroids, radius, class_weight)
    z = at_least_float32(features)
    dtype = z.dtype
    static = is_static(features)
    try:
        same = labels[:, None] == labels if static or scope == 'class' else None  # (B, B)
        rows, row_of, weight = _rows_in_use(labels, same if static else None, dtype)
        mu = centroids.detach().index_select(0, rows).to(dtype)
        radius_in_use = radius.index_select(0, labels)
    except IndexError:  # an accelerator has ways of its own to stop at such labels
        check_labels(labels, len(centroids))
        raise
    smallest = radius_in_use.detach()
    if static:  # not a reward, and not unnoticed
        radius_in_use = radius_in_use.masked_fill(radius_in_use < 0, torch.nan)
    if class_weight is not None:
        weight_in_use = class_weight.detach().index_select(0, labels)
        weight = weight * weight_in_use.to(dtype)
        smallest = smallest if static else torch.minimum(smallest, weight_in_use)
    if static or class_weight is not None:
        weight = weight / weight.sum().clamp_min(torch.finfo(dtype).tiny)
    if distance in ('chord', 'cosine'):
        z, mu = directions(z), directions(mu)
    has_margin = same if scope == 'class' else None
    value: Tensor = CentroidSoftmax.apply(
        z, radius_in_use.to(dtype), mu, row_of, weight, has_margin, distance, temperature, margin
    )
    # Whatever is not finite in use makes the value so too: one look at it, instead of one at every tensor.
    if not static and not (math.isfinite(value.item()) and smallest.min().item() >= 0):
        in_use = {'features': features, 'centroids': centroids, 'radius': radius, 'class_weight': class_weight}
        check_in_use(in_use, labels, temperature, margin)
    return value


def _rows_in_use(labels: Tensor, same: Tensor | None, dtype: torch.dtype) -> tuple[Tensor, Tensor | None, Tensor]:
    """Classes whose centroids are needed (R,), each sample's row among them, and weights 1 / (|S_c| classes) (B,).

    With ``same``, which samples are of one class (B, B), no value is looked at, and the weights are not yet divided by
    the number of classes.
    """
    if same is not None:  # one row per sample, so that nothing has to wait for the number of classes
        return labels, None, same.sum(dim=1, dtype=dtype).reciprocal()
    classes, row_of, counts = labels.unique(return_inverse=True, return_counts=True)
    weight = (counts * len(counts)).to(dtype).reciprocal_()
    return classes, row_of, weight.index_select(0, row_of)


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
    for name, tensor in (
        ('labels', labels),
        ('centroids', centroids),
        ('radius', radius),
        ('class_weight', class_weight),
    ):
        if tensor is not None and tensor.device != features.device:
            raise ValueError(
                f'All tensors must be on one device, got features on {features.device} and {name} on {tensor.device}. '
                f'Use {name}.to(features.device).'
            )
    for name, tensor in (('radius', radius), ('class_weight', class_weight)):
        if tensor is not None and tensor.shape != centroids.shape[:1]:
            raise ValueError(
                f'Expected {name} ({len(centroids)},) to fit {len(centroids)} centroids, got {tuple(tensor.shape)}.'
            )
