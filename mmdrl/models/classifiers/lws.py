"""Learnable weight scaling."""

import torch
from torch import Tensor, nn

from mmdrl.registry import MODELS


@MODELS.register_module()
class LWSClassifier(nn.Linear):
    r"""Linear classifier whose scores have a learned factor for each class (LWS).

    .. math:: s_c = f_c \, (w_c \cdot z + b_c)

    With all :math:`f_c = 1`, as at the start, it is the plain classifier. The method learns a plain classifier first
    and then the factors alone, with class-balanced sampling; nothing here is frozen by itself, so stages freeze
    ``head.fc.scale`` first and ``head.fc.weight`` and ``head.fc.bias`` afterwards.

    Args:
        in_features: D.
        out_features: K.
        bias: Whether there is a :math:`b`. It is scaled as in the authors' released code; their formula has none.

    Attributes:
        scale: :math:`f`, shape ``(K,)``, learned.

    Source: Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__(in_features, out_features, bias)
        self.scale = nn.Parameter(torch.ones(out_features))

    def reset_parameters(self) -> None:
        """Start anew: weights as torch does, factors of 1."""
        super().reset_parameters()
        if hasattr(self, 'scale'):  # not yet when torch first calls this
            nn.init.ones_(self.scale)

    def forward(self, features: Tensor) -> Tensor:
        """Scores, shape ``(B, K)``, of features, shape ``(B, D)``."""
        return self.scale * super().forward(features)
