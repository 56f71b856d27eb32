"""Random flips."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mmdrl.errors import ConfigError
from mmdrl.functional.augment import Canvas, flip, image_uniforms

from .arguments import check_choice, check_share
from .registry import BATCH_TRANSFORMS

Direction = Literal['horizontal', 'vertical', 'diagonal']


@BATCH_TRANSFORMS.register_module()
class BatchFlip:
    """Some of the images flipped, as by MMPretrain's ``RandomFlip``.

    Args:
        prob: Probability of a flip, which several directions share evenly; or that of each direction.
        direction: ``'horizontal'`` swaps left and right, ``'vertical'`` top and bottom, ``'diagonal'`` both; or several
            of them.

    Raises:
        ConfigError: If a setting is out of range.
    """

    def __init__(self, prob: float | Sequence[float] = 0.5, direction: Direction | Sequence[Direction] = 'horizontal'):
        directions: list[Any] = list(direction) if isinstance(direction, (list, tuple)) else [direction]
        for name in directions or [direction]:
            check_choice('BatchFlip', 'direction', name, get_args(Direction))
        shares: list[Any] = list(prob) if isinstance(prob, (list, tuple)) else [prob]
        for share in shares:
            check_share('BatchFlip', 'prob', share)
        if not isinstance(prob, (list, tuple)):
            shares = [shares[0] / len(directions)] * len(directions)
        if len(shares) != len(directions) or sum(shares) > 1 + 1e-9:
            raise ConfigError(
                f'BatchFlip: prob must be one number or one for each of {len(directions)} directions, together at '
                f'most 1, got {prob!r}.'
            )
        self.bounds = np.cumsum([0.0, *shares])
        self.directions = directions

    def __call__(self, canvas: Canvas, seeds: NDArray[np.int64], stream: int) -> None:
        """Flip images of the canvas; seeds and stream as :func:`~mmdrl.functional.augment.image_uniforms`."""
        uniforms = image_uniforms(seeds, 1, stream)[:, 0]
        turns = {name: np.zeros(len(seeds), dtype=bool) for name in ('horizontal', 'vertical')}
        for name, low, high in zip(self.directions, self.bounds, self.bounds[1:], strict=False):
            for axis in turns:
                if name in (axis, 'diagonal'):
                    turns[axis] |= (low <= uniforms) & (uniforms < high)
        canvas.place(flip(turns['vertical'], turns['horizontal'], canvas.size))
