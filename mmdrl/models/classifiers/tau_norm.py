"""Tau-normalised classifier."""

import math

from torch import Tensor, nn
from torch.nn.functional import linear

from mmdrl.errors import ConfigError
from mmdrl.functional import tau_normalized
from mmdrl.registry import MODELS


@MODELS.register_module()
class TauNormClassifier(nn.Linear):
    r"""Linear classifier that is trained as it is, and predicts with rows brought nearer to one length.

    Classes of many images tend to have long rows :math:`w_c`, and score high by that. In training mode this is the
    plain classifier; in eval mode each row and its bias are divided by :math:`|w_c|^\tau`, by
    :func:`mmdrl.functional.tau_normalized`. Weights and checkpoint are those of the plain one, and either loads into
    the other. A stage that freezes the classifier keeps it in eval mode, and so trains the rest on normalised scores.
    Kang et al. train with a bias and predict without: so it is with ``keep_bias=False``.

    Args:
        in_features: D.
        out_features: K.
        tau: :math:`\tau`, not negative: 0 is the plain classifier, 1 makes all rows equally long.
        bias: Whether there is a bias.
        keep_bias: Whether predictions have it, too, divided as its row is.

    Raises:
        ConfigError: If ``tau`` is negative or not finite.

    Source: Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020.
    """

    def __init__(
        self, in_features: int, out_features: int, tau: float = 1.0, bias: bool = True, keep_bias: bool = True
    ):
        if not isinstance(tau, (int, float)) or not 0 <= tau < math.inf:
            raise ConfigError(f'TauNormClassifier: tau must be a finite number and not negative, got {tau!r}.')
        super().__init__(in_features, out_features, bias)
        self.tau = tau
        self.keep_bias = keep_bias

    def forward(self, features: Tensor) -> Tensor:
        """Scores, shape ``(B, K)``, of features, shape ``(B, D)``: plain in training, normalised in eval mode."""
        if self.training:
            return super().forward(features)
        return linear(features, *tau_normalized(self.weight, self.bias if self.keep_bias else None, self.tau))

    def extra_repr(self) -> str:
        """As torch shows it, with tau."""
        return f'{super().extra_repr()}, tau={self.tau}, keep_bias={self.keep_bias}'
