"""What the classification losses that know the class counts share: their settings, and checks with clear words."""

import math
from collections.abc import Sequence

from torch import Tensor

from mmdrl.errors import ConfigError, DataError
from mmdrl.functional import check_labels
from mmdrl.functional.checks import is_static
from mmdrl.models.class_counts import KeepsClassCounts


class CountedLoss(KeepsClassCounts):
    """A loss of logits and labels, called as MMPretrain's heads call theirs, that knows the class counts.

    Checkpoints do not hold its counts, so that models with and without it load each other's.

    Args:
        num_classes: K.
        class_counts: Training images per class; ``None``: ``ClassCountsHook`` sets them before training.

    Raises:
        ConfigError: If K is out of range or the counts do not fit it.
    """

    def __init__(self, num_classes: int, class_counts: Sequence[int] | None = None):
        super().__init__()
        self.num_classes = num_classes
        self.init_class_counts(num_classes, persistent=False, counts=class_counts)

    def check_number(self, name: str, value: float, is_zero_allowed: bool = True) -> None:
        """A setting must be a finite number above 0, or not below it.

        Raises:
            ConfigError: If it is not.
        """
        if not (isinstance(value, (int, float)) and 0 <= value < math.inf and (is_zero_allowed or value > 0)):
            wanted = 'finite and not negative' if is_zero_allowed else 'above 0 and finite'
            raise ConfigError(f'{type(self).__name__}: {name} must be {wanted}, got {value!r}.')

    def check_batch(self, cls_score: Tensor, target: Tensor, are_mixed_allowed: bool = False) -> None:
        """Logits must be ``(B, K)``, labels ``(B,)`` or, where mixed ones have a meaning, ``(B, K)``.

        Raises:
            ConfigError: If the logits have another width, or labels are mixed where that has no meaning.
            DataError: If (on the CPU) a label lies outside ``[0, K)``.
        """
        name = type(self).__name__
        if cls_score.ndim != 2 or cls_score.shape[1] != self.num_classes:
            raise ConfigError(
                f'{name} expects logits (B, {self.num_classes}), got {tuple(cls_score.shape)}. Set num_classes of the '
                'loss to that of the head.'
            )
        if target.shape == cls_score.shape:
            if not are_mixed_allowed:
                raise ConfigError(
                    f'{name} needs one label per sample, got mixed labels {tuple(target.shape)}. Remove mixup/cutmix '
                    'from the data preprocessor (mixing=False in a stage), or take another loss.'
                )
        elif target.shape != cls_score.shape[:1]:
            raise DataError(
                f'{name} expects labels ({len(cls_score)},), or mixed ones of the shape of the logits, got '
                f'{tuple(target.shape)}.'
            )
        elif not is_static(target):
            try:
                check_labels(target, self.num_classes)
            except ValueError as error:
                raise DataError(str(error)) from None
