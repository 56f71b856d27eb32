"""Cosine classifier."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from mmdrl.errors import ConfigError
from mmdrl.functional import at_least_float32, without_autocast
from mmdrl.registry import MODELS


@MODELS.register_module()
class CosineClassifier(nn.Linear):
    r"""Classifier by the angle between features and the direction of each class, which ignores both their lengths.

    .. math:: s_c = s \cos(z, w_c) + b_c

    Computed in float32 under half precision, which would leave three digits of a cosine. The length of :math:`w_c` does
    not matter to a score, but it divides the gradient, so rows start with length 1: in the directions that the
    ``init_cfg`` of the head draws. Features of zeros score 0.

    Args:
        in_features: D.
        out_features: K.
        scale: :math:`s`, above 0. A loss with a scale of its own, such as ``mmdrl.LDAMLoss``, wants 1.
        learn_scale: Whether :math:`s` is learned.

    Attributes:
        bias: :math:`b`, shape ``(K,)``, a buffer of zeros that no step learns: an adjustment found after training goes
            in there.
        scale: :math:`s`; a parameter if it is learned, a number if not.

    Raises:
        ConfigError: If ``scale`` is not above 0 and finite.

    Source: Gidaris & Komodakis, "Dynamic Few-Shot Visual Learning without Forgetting", CVPR 2018; in long tails Cao et
    al., NeurIPS 2019. The scale of 16 is that of the released code of Liu et al., CVPR 2019, whose classifier keeps a
    part of the length of z.
    """

    bias: Tensor  # type: ignore[assignment]

    def __init__(self, in_features: int, out_features: int, scale: float = 16.0, learn_scale: bool = False):
        if not isinstance(scale, (int, float)) or not 0 < scale < math.inf:
            raise ConfigError(f'CosineClassifier: scale must be a finite number above 0, got {scale!r}.')
        super().__init__(in_features, out_features, bias=False)
        del self.bias  # the parameter that is None
        self.register_buffer('bias', torch.zeros(out_features))
        self.first_scale = float(scale)
        self.scale = nn.Parameter(torch.tensor(self.first_scale)) if learn_scale else self.first_scale

    @torch.no_grad()
    def init_weights(self) -> None:
        """Bring the rows to length 1; MMEngine calls this once the head's ``init_cfg`` has drawn them."""
        self.weight.copy_(_unit(self.weight))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Start anew: random directions, no bias, the first scale."""
        nn.init.normal_(self.weight)
        self.init_weights()
        if isinstance(self.bias, Tensor):  # not yet when torch first calls this
            self.bias.zero_()
            if isinstance(self.scale, nn.Parameter):
                self.scale.fill_(self.first_scale)

    def forward(self, features: Tensor) -> Tensor:
        """Scores, shape ``(B, K)``, of features, shape ``(B, D)``; float32 for half precision."""
        with without_autocast(features.device):
            return self.scale * linear(_unit(features), _unit(self.weight)) + self.bias

    def extra_repr(self) -> str:
        """Sizes and scale."""
        is_learned = isinstance(self.scale, nn.Parameter)
        scale = f'learned, from {self.first_scale}' if is_learned else self.scale
        return f'in_features={self.in_features}, out_features={self.out_features}, scale={scale}'


def _unit(rows: Tensor) -> Tensor:
    """Rows of length 1; one of zeros, or so short that its square is 0, stays, with a finite gradient."""
    rows = at_least_float32(rows)
    lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / torch.where(lengths > torch.finfo(rows.dtype).tiny ** 0.5, lengths, 1)
