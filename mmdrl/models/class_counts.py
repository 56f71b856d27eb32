"""What every module that needs the class counts has in common: a buffer, and a clear word when nobody has filled it.

Modules are built before the training set is known. ``ClassCountsHook`` fills the buffers of all of them before
training; outside of a runner the counts are an argument, or given with ``set_class_counts``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmdrl.errors import ConfigError


class KeepsClassCounts(nn.Module):
    """Part of a module that keeps how many training images each class has.

    Attributes:
        class_counts: Training images per class, shape ``(K,)``, long; 0 as long as nobody has set them.
        has_own_class_counts: Whether they were given as an argument, so that ``ClassCountsHook`` leaves them alone.
    """

    class_counts: Tensor
    has_own_class_counts: bool

    def init_class_counts(self, num_classes: int, persistent: bool, counts: Sequence[int] | None = None) -> None:
        """Register the buffer; to be called once, after ``nn.Module.__init__``.

        Args:
            num_classes: K.
            persistent: Whether checkpoints hold the counts. Without, checkpoints of models with and without this
                module fit each other.
            counts: Training images per class, if known already.

        Raises:
            ConfigError: If K is not a whole number above 0, or the counts do not fit it.
        """
        if not isinstance(num_classes, int) or num_classes < 1:
            raise ConfigError(
                f'{type(self).__name__}: num_classes must be a whole number above 0, got {num_classes!r}.'
            )
        self.register_buffer('class_counts', torch.zeros(num_classes, dtype=torch.long), persistent=persistent)
        self._has_class_counts = False
        self.has_own_class_counts = counts is not None
        if counts is not None:
            self.set_class_counts(counts)

    def set_class_counts(self, counts: Tensor | Sequence[int]) -> None:
        """Take over the training images per class, shape ``(K,)``, whole numbers of at least 1.

        Raises:
            ConfigError: If they are not.
        """
        given = torch.as_tensor(counts)
        if given.shape != self.class_counts.shape or not bool(((given >= 1) & (given == given.long())).all()):
            raise ConfigError(
                f'{type(self).__name__} expects training images of {len(self.class_counts)} classes, each at least 1, '
                f'got {given.tolist()}. Does num_classes match the data set?'
            )
        self.class_counts.copy_(given)
        self._has_class_counts = True

    def known_class_counts(self) -> Tensor:
        """Training images per class, shape ``(K,)``, long.

        The values are looked at until they are known and never again, for reading a buffer stalls an accelerator.

        Raises:
            ConfigError: If nobody has set them.
        """
        if not self._has_class_counts:
            if not bool(self.class_counts.any()):
                raise ConfigError(
                    f'{type(self).__name__} does not know the training images per class. Add mmdrl.ClassCountsHook '
                    'to the hooks, or call set_class_counts(counts).'
                )
            self._has_class_counts = True
        return self.class_counts
