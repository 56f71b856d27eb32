"""How far the centroid of the training images of a class lies from that of images never trained on.

The paper's point is that few images estimate a centroid badly. Absolute distances of two networks cannot be compared,
as a loss may scale or tighten all features; so the error is also set against three lengths of the same network.
"""

import torch
from torch import Tensor

from .moments import Moments


def centroid_errors(train: Moments, test: Moments) -> dict[str, Tensor]:
    r"""Distance of train and test centroid of every class, by itself and relative to lengths of the same space.

    - ``centroid_error``: :math:`e_c = |\mu_c^{train} - \mu_c^{test}|`.
    - ``error_to_spread``: over the spread of the class in the *test* set. That of a few training images is too small:
      their mean is fitted to them, and so is the network.
    - ``error_to_nearest``: over the distance of the train centroid to the nearest other one; at 1/2 the true centroid
      may lie on the border to another class. A loss that shrinks spreads cannot make this small by that alone.
    - ``expected_error``: what two means of independent draws from the class would differ by, root mean square,
      :math:`\sqrt{s_c^2 (1/n_c + 1/m_c)}` with the variance :math:`s_c^2` of its m test images (divided by m - 1).
    - ``error_to_expected``: :math:`e_c` over that. About 1: nothing but sampling noise; above: training images
      lie elsewhere than new ones do.

    Args:
        train: Of the training images, every image once, without augmentation.
        test: Of other images, of the same classes.

    Returns:
        Each of shape ``(K,)``, float64; nan where a class lacks images, or the length to compare with is 0.
    """
    error = torch.linalg.vector_norm(train.means - test.means, dim=1)
    many = test.counts > 1
    variance = torch.where(many, test.variances * test.counts / (test.counts - 1), torch.nan)
    expected = (variance * (1 / train.counts.double() + 1 / test.counts.double())).sqrt()
    return {
        'centroid_error': error,
        'error_to_spread': _ratio(error, test.spreads),
        'error_to_nearest': _ratio(error, nearest_other(train.means)),
        'expected_error': torch.where(train.is_seen, expected, torch.nan),
        'error_to_expected': _ratio(error, expected),
    }


def nearest_other(means: Tensor) -> Tensor:
    """Distance of every class mean to the nearest other one, shape ``(K,)``; nan for a row of nan, or the only one.

    Args:
        means: Shape ``(K, D)``, float64.
    """
    known = (~means.isnan().any(dim=1)).nonzero().flatten()
    nearest = means.new_full((len(means),), torch.nan)
    if len(known) < 2:
        return nearest
    rows = means[known] - means[known].mean(dim=0)
    for places in torch.arange(len(rows), device=means.device).split(1024):
        distances = torch.cdist(rows[places], rows, compute_mode='use_mm_for_euclid_dist')
        distances[torch.arange(len(places)), places] = torch.inf
        # The product finds the nearest; its distance is taken from the difference, which keeps all digits.
        other = rows[distances.argmin(dim=1)]
        nearest[known[places]] = torch.linalg.vector_norm(rows[places] - other, dim=1)
    return nearest


def _ratio(value: Tensor, length: Tensor) -> Tensor:
    return torch.where(length > 0, value / length, torch.nan)
