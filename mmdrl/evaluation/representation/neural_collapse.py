"""Neural collapse: how near features and classifier are to one point per class, at the corners of a simplex."""

import math

import torch
from torch import Tensor


def neural_collapse(means: Tensor, within: Tensor, weight: Tensor | None = None) -> dict[str, float]:
    r"""Measures that are all 0 when features and classifier have collapsed.

    With class means :math:`\mu_c`, centred by their mean to the rows of M:

    - ``nc1``, variability within classes: :math:`\mathrm{tr}(\Sigma_W \Sigma_B^+) / K`, with
      :math:`\Sigma_B = M^T M / K`.
    - ``nc2_norms``, equal lengths of the rows of M: standard deviation over mean.
    - ``nc2_angles``, equal angles between them: standard deviation of the cosines of all pairs.
    - ``nc2_simplex``, largest angles: mean of :math:`|\cos + 1 / (K - 1)|` over all pairs.
    - ``nc2_weight_norms``: as ``nc2_norms``, of the rows of the classifier.
    - ``nc3``, classifier in line with the means: :math:`|W / |W|_F - M / |M|_F|_F^2`, from 0 to 4.

    Args:
        means: Class means, shape ``(K, D)``, float64, without nan.
        within: :math:`\Sigma_W`, shape ``(D, D)``, see :func:`mmdrl.evaluation.representation.within_scatter`.
        weight: Of a linear classifier, W, shape ``(K, D)``; ``None`` if there is none.

    Returns:
        By these names; nan for what cannot be told: of fewer than two classes or equal means, without a classifier.

    Raises:
        ValueError: If shapes disagree.

    Source: Papyan, Han & Donoho, "Prevalence of neural collapse during the terminal phase of deep learning training",
    PNAS 2020. Its fourth measure compares predictions, see ``nc4`` of the report.
    """
    num_classes, size = means.shape
    if within.shape != (size, size) or (weight is not None and weight.shape != means.shape):
        raise ValueError(
            f'Expected means (K, D), within (D, D) and weight (K, D), got {tuple(means.shape)}, {tuple(within.shape)} '
            f'and {None if weight is None else tuple(weight.shape)}.'
        )
    nothing = dict.fromkeys(('nc1', 'nc2_norms', 'nc2_angles', 'nc2_simplex', 'nc2_weight_norms', 'nc3'), math.nan)
    if num_classes < 2:
        return nothing
    centred = means - means.mean(dim=0)
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    # Centred rows add up to 0: one direction is a rounding error, the larger the farther the means lie from the origin.
    least = (values.max() * max(means.shape) * torch.finfo(values.dtype).eps).maximum(
        1e-12 * torch.linalg.vector_norm(means, dim=1).amax()
    )
    values, directions = values[values > least], directions[values > least]
    if len(values) == 0:
        return nothing
    cosines = _cosines(centred)
    numbers = {
        'nc1': float((((directions @ within) * directions).sum(dim=1) / values.square()).sum()),
        'nc2_norms': _variation(centred),
        'nc2_angles': float(cosines.std(correction=0)),
        'nc2_simplex': float((cosines + 1 / (num_classes - 1)).abs().mean()),
    }
    if weight is None:
        return numbers | dict(nc2_weight_norms=math.nan, nc3=math.nan)
    weight = weight.to(centred)
    apart = weight / torch.linalg.matrix_norm(weight) - centred / torch.linalg.matrix_norm(centred)
    return numbers | dict(nc2_weight_norms=_variation(weight), nc3=float(apart.square().sum()))


def _variation(rows: Tensor) -> float:
    lengths = torch.linalg.vector_norm(rows, dim=1)
    return float(lengths.std(correction=0) / lengths.mean())


def _cosines(rows: Tensor) -> Tensor:
    """Cosines of all pairs of different rows, as one row."""
    unit = torch.nn.functional.normalize(rows, dim=1)
    first, second = torch.triu_indices(len(rows), len(rows), offset=1, device=rows.device)
    return (unit @ unit.T)[first, second]
