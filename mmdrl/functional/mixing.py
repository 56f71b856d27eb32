"""Labels of mixed images."""

import math

import torch
from torch import Tensor


def remix_weights(
    share: Tensor | float, counts: Tensor, other_counts: Tensor, kappa: float = 3.0, tau: float = 0.5
) -> Tensor:
    r"""Weight of the first image's class in the label of a mixed image, in favour of the rarer class.

    An image :math:`\lambda x_i + (1 - \lambda) x_j` gets the label :math:`\lambda_y y_i + (1 - \lambda_y) y_j` with

    .. math::
        \lambda_y = \begin{cases}
            0 & n_i / n_j \ge \kappa \text{ and } \lambda < \tau \\
            1 & n_i / n_j \le 1 / \kappa \text{ and } 1 - \lambda < \tau \\
            \lambda & \text{else}
        \end{cases}

    Args:
        share: :math:`\lambda`, in ``[0, 1]``, a number or of shape ``(B,)``.
        counts: Training images of the first image's class, :math:`n_i`, shape ``(B,)``, each at least 1.
        other_counts: Those of the other's, :math:`n_j`, shape ``(B,)``.
        kappa: How many times larger a class must be to give its label away, at least 1.
        tau: Up to which share of an image its label may be given away, in ``[0, 1]``; 0 is mixup.

    Returns:
        :math:`\lambda_y`, shape ``(B,)``, float32 or the type of ``share``.

    Raises:
        ValueError: If kappa or tau is out of range.

    Source: Chou et al., "Remix: Rebalanced Mixup", ECCV 2020 workshops, the rule for :math:`\lambda_y`; 3 and 0.5 are
    theirs.
    """
    if not 1 <= kappa < math.inf:
        raise ValueError(f'kappa of Remix must be a finite number of at least 1, got {kappa}.')
    if not 0 <= tau <= 1:
        raise ValueError(f'tau of Remix must lie in [0, 1], got {tau}.')
    if not isinstance(share, Tensor):
        share = counts.new_full((), share, dtype=torch.get_default_dtype())  # filled on the device, nothing is copied
    ratio = counts.double() / other_counts
    gives_away = (ratio >= kappa) & (share < tau)
    takes_all = (ratio <= 1 / kappa) & (1 - share < tau)
    return torch.where(gives_away, 0, torch.where(takes_all, 1, share))
