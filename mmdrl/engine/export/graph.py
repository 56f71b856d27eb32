"""From pixels to scores as one module without a choice in it, which exporters can follow.

What depends on the class counts or centroids of a checkpoint is computed once and becomes constants.
"""

from typing import Any

import torch
from mmpretrain.models.utils import ShiftWindowMSA
from torch import Tensor, nn
from torch.nn.functional import linear

from mmdrl.errors import ConfigError
from mmdrl.functional import adjust_logits, at_least_float32, ncm_as_linear
from mmdrl.models import DRHead


class PixelsToScores(nn.Module):
    """Backbone, neck and rule of prediction of a model, behind its normalisation.

    The model is used up: parts of it are put into a form that can be exported.

    Args:
        model: An ``ImageClassifier`` in eval mode, with its weights and its rule.
        wants_bgr: Whether what is normalised are BGR pixels, in spite of the RGB that come in.

    Raises:
        ConfigError: If its preprocessor does more than normalise.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Any, wants_bgr: bool = False):
        super().__init__()
        self.backbone = model.backbone
        self.neck = model.neck if model.with_neck else nn.Identity()
        self.scores: Any = RuleScores(model.head) if isinstance(model.head, DRHead) else model.head
        self.wants_bgr = wants_bgr
        mean, std = normalisation(model)
        self.register_buffer('mean', mean)
        self.register_buffer('std', std)
        for part in self.modules():
            if isinstance(part, ShiftWindowMSA):
                part.window_reverse = _window_reverse

    def forward(self, images: Tensor) -> Tensor:
        """Scores before softmax, shape ``(B, K)``.

        Args:
            images: RGB, or grey for a model of one channel, shape ``(B, C, H, W)``, 0 to 255, of any type.
        """
        pixels = images.float()
        if self.wants_bgr:
            pixels = pixels.flip(1)
        return self.scores(self.neck(self.backbone((pixels - self.mean) / self.std)))


class RuleScores(nn.Module):
    """What ``mmdrl.models.heads.prediction.scores`` computes, with what it looks up as constants.

    Args:
        head: It knows what its rule needs.
    """

    shift: Tensor
    weight: Tensor
    bias: Tensor
    middle: Tensor

    def __init__(self, head: DRHead):
        super().__init__()
        self.is_ncm = head.predict_with == 'ncm'
        self.is_adjusted = not self.is_ncm and head.logit_adjustment != 0
        if self.is_ncm:
            seen = head.centroids.is_seen.nonzero().flatten()
            means = head.centroids.centroids[seen]
            middle = means.mean(dim=0)
            known_weight, known_bias = ncm_as_linear(means - middle)
            # A class without a centroid scores 0 * z - inf.
            weight = known_weight.new_zeros(head.num_classes, len(middle)).index_copy(0, seen, known_weight)
            bias = known_bias.new_full((head.num_classes,), -torch.inf).index_copy(0, seen, known_bias)
            for name, value in (('middle', middle), ('weight', weight), ('bias', bias)):
                self.register_buffer(name, value)
        else:
            self.fc = head.fc
        if self.is_adjusted:
            nothing = torch.zeros(1, head.num_classes)
            self.register_buffer('shift', adjust_logits(nothing, head.known_class_counts(), -head.logit_adjustment))

    def forward(self, feats: Any) -> Tensor:
        """Scores, shape ``(B, K)``, of what the neck hands over."""
        features = feats[-1] if isinstance(feats, (tuple, list)) else feats
        if self.is_ncm:
            return linear(at_least_float32(features) - self.middle, self.weight, self.bias)
        logits: Tensor = self.fc(features)
        return at_least_float32(logits) + self.shift if self.is_adjusted else logits


def normalisation(model: Any) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the pixels, shape ``(C, 1, 1)`` or ``(1, 1, 1)``; 0 and 1 without.

    Raises:
        ConfigError: If the preprocessor does something else to test images.
    """
    preprocessor = model.data_preprocessor
    if not hasattr(preprocessor, '_enable_normalize') or getattr(preprocessor, 'pad_size_divisor', 1) > 1:
        raise ConfigError(
            f'Exporting knows preprocessors that normalise test images and no more; {type(preprocessor).__name__} '
            'does something else, such as padding.'
        )
    if not preprocessor._enable_normalize:
        return torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    return preprocessor.mean.detach().clone(), preprocessor.std.detach().clone()


def _window_reverse(windows: Tensor, height: int, width: int, size: int) -> Tensor:
    """As MMPretrain's, which takes the batch size for a number that never changes."""
    blocks = windows.view(-1, height // size, width // size, size, size, windows.shape[-1])
    return blocks.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, height, width, windows.shape[-1])
