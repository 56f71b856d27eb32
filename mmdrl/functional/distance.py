r"""Squared distances between rows, fast and with all their digits.

One matrix product gives :math:`|x - y|^2 = |x|^2 + |y|^2 - 2 x \cdot y` for all pairs, far faster than pair by pair,
but the digits of a distance that is small beside :math:`|x|` and :math:`|y|` cancel. Two measures bring them back: the
rows are centred first, and pairs that are close even so are computed from their difference. Where that would need a
look at the values, which stalls an accelerator, the product runs in float64 instead.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Distance = Literal['euclidean', 'chord', 'squared', 'cosine']


# A pair is close if |x - y|^2 is less than this share of |x|^2 + |y|^2, both centred.
# float32 keeps five digits of a squared distance just above it, as many as a sample whose pull and push cancel needs.
_CLOSE = {torch.float32: 3e-2, torch.float64: 1e-4}


class Pairs(NamedTuple):
    """All pairs of two sets of rows, as the gradient of their distances needs them.

    Attributes:
        x: Shape ``(B, D)``, centred.
        y: Shape ``(R, D)``, centred alike.
        close: Row (of y), column (of x) and difference x - y of the pairs that are computed one by one, shapes
            ``(F,)``, ``(F,)`` and ``(F, D)``; ``None`` if there are none.
        may_coincide: Whether the distance of a pair can be 0.
    """

    x: Tensor
    y: Tensor
    close: tuple[Tensor, Tensor, Tensor] | None
    may_coincide: bool


def at_least_float32(tensor: Tensor) -> Tensor:
    """Half precision has no digits to spare for distances and log-sum-exp."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def directions(rows: Tensor) -> Tensor:
    """Rows of length 1, in float64: at a small angle float32 keeps too few digits.

    A row of zeros, or so short that squares of its type are 0, has no direction and stays as it is.
    """
    shortest = torch.finfo(at_least_float32(rows).dtype).tiny ** 0.5
    rows = rows.double()
    lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / torch.where(lengths > shortest, lengths, 1)


def pairwise_distance(x: Tensor, y: Tensor, distance: Literal['euclidean', 'chord']) -> Tensor:
    """Distances (rows of x, rows of y), pair by pair: equal distances stay equal."""
    dtype = torch.promote_types(x.dtype, y.dtype)
    x, y = x.to(dtype), y.to(dtype)
    if distance == 'chord':
        x, y = directions(x), directions(y)
    return torch.cdist(x, y, compute_mode='donot_use_mm_for_euclid_dist')


def squared_distances(x: Tensor, y: Tensor, static: bool) -> tuple[Tensor, Pairs]:
    """Squared distances of all pairs, shape ``(R, B)``, row r for y_r and column b for x_b, without gradient.

    Args:
        x: Shape ``(B, D)``, float32 or float64.
        y: Shape ``(R, D)``, of the same type.
        static: Whether no value may be looked at.
    """
    if static or not _products_are_exact():
        x, y = x.double(), y.double()
    center = y.mean(dim=0)
    x_centred, y_centred = x - center, y - center
    x_length, y_length = torch.linalg.vector_norm(x_centred, dim=1), torch.linalg.vector_norm(y_centred, dim=1)
    scale = torch.addcmul(y_length.square()[:, None], x_length, x_length)
    values = torch.addmm(scale, y_centred, x_centred.T, alpha=-2)
    close, may_coincide = None, static
    if not static:
        excess = torch.sub(values, scale, alpha=_CLOSE[x.dtype])
        if excess.min().item() <= 0:
            may_coincide = True
            row, column = (excess <= 0).nonzero().unbind(dim=1)
            if len(row) <= 2 * (len(x) + len(y)):
                difference = x.index_select(0, column) - y.index_select(0, row)
                values.index_put_((row, column), difference.square().sum(dim=1))
                close = row, column, difference
            elif x.dtype == torch.float32:  # nearly everything is: one by one would take too much memory
                return squared_distances(x.double(), y.double(), static)
            else:  # slower than a product, which keeps eight digits of them or fewer, by processor
                values = pairwise_distance(y, x, 'euclidean').square()
    return values.clamp_min_(0), Pairs(x_centred, y_centred, close, may_coincide)


def weighted_differences(pairs: Pairs, weight: Tensor) -> Tensor:
    r"""For every x the sum :math:`\sum_r w_{rb} (x_b - y_r)`, shape ``(B, D)``.

    Half the gradient of the squared distances weighted by w, shape ``(R, B)``, which is used up. This is a matrix
    product, too: nothing of size ``(R, B, D)`` is made.
    """
    x, y = pairs.x, pairs.y
    weight = weight.to(x.dtype)
    if pairs.close is not None:
        row, column, difference = pairs.close
        weight_close = weight[row, column]
        weight.index_put_((row, column), weight.new_zeros(()))
    if x.dtype == torch.float32 and not _products_are_exact():
        x, y, weight = x.double(), y.double(), weight.double()
    total = (x * weight.sum(dim=0)[:, None]).addmm_(weight.T, y, alpha=-1)
    if pairs.close is not None:
        total.index_add_(0, column, (difference * weight_close[:, None]).to(total.dtype))
    return total


def _products_are_exact() -> bool:
    """Whether a product of float32 matrices on the CPU is one of float32."""
    if torch.is_autocast_enabled('cpu'):
        return False
    settings = getattr(torch.backends.mkldnn, 'matmul', None)
    if settings is None:  # torch before 2.9
        return torch.get_float32_matmul_precision() == 'highest'
    # The function just named refuses to answer once a program has used these newer settings.
    return settings.fp32_precision in ('none', 'ieee')
