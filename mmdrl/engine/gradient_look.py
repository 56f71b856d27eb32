"""A look at the gradients when an optimiser is about to step, or to clip them."""

import math
from collections.abc import Callable
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.utils.hooks import RemovableHandle

from mmdrl.errors import DivergenceError

from .late_scalars import log_later
from .telling_sum import telling_sum

GRADIENT = 'the gradient'


class GradientLook:
    """Raises out of the step of an optimiser whose gradients are not finite, or notes a number that tells.

    Loss scaling of mixed precision meets infinite gradients now and then and leaves out such steps by itself: what it
    leaves out is not looked at.

    Args:
        model: Whose parameters learn, not wrapped.
        note: Where to note the number, which waits for no device; ``None``: look at it. The norm by which gradients are
            clipped is logged without waiting then, too.
    """

    def __init__(self, model: nn.Module, note: Callable[[str, Tensor], None] | None):
        self.note = note
        self._model = model
        self._optimizers: list[Any] = []
        self._handles: list[RemovableHandle] = []
        self._clips: list[tuple[Any, Callable[..., Any]]] = []
        self._has_looked = False

    def follow(self, optim_wrapper: Any) -> None:
        """See the steps of the optimisers that run, which stages may replace."""
        wrappers = list(optim_wrapper.values()) if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]
        self._has_looked = False
        optimizers = [wrapper.optimizer for wrapper in wrappers]
        if len(optimizers) == len(self._optimizers) and all(map(_is, optimizers, self._optimizers)):
            return
        self.remove()
        self._optimizers = optimizers
        self._handles = [optimizer.register_step_pre_hook(self._before_step) for optimizer in optimizers]
        for wrapper in wrappers:
            # Clipping by a norm that is nan makes all gradients so, and MMEngine logs that norm, which waits.
            scaler = getattr(wrapper, 'loss_scaler', None)  # MMEngine's wrapper has one for bfloat16, too
            is_scaled = scaler is not None and scaler.is_enabled()
            if getattr(wrapper, 'clip_func', None) is clip_grad_norm_ and (self.note is not None or not is_scaled):
                self._clips.append((wrapper, wrapper.clip_func))
                wrapper.clip_func = self._looking_first(wrapper, is_scaled)

    def remove(self) -> None:
        """Let go of the optimisers."""
        for handle in self._handles:
            handle.remove()
        for wrapper, clip in self._clips:
            wrapper.clip_func = clip
        self._optimizers, self._handles, self._clips = [], [], []

    @torch.compiler.disable  # a look is a branch, which splits a compiled step in any case
    def _before_step(self, optimizer: Any, *_: Any) -> None:
        is_scaled = getattr(optimizer, 'found_inf', None) is not None  # a fused one looks for itself
        if not self._has_looked and not is_scaled:
            self._look(optimizer)
        self._has_looked = False

    def _looking_first(self, wrapper: Any, is_scaled: bool) -> Callable[..., Any]:
        @torch.compiler.disable
        def look_and_clip(parameters: Any, **settings: Any) -> Any:
            self._has_looked = True
            if self.note is None:
                self._look(wrapper.optimizer)
                return clip_grad_norm_(parameters, **settings)
            norm = clip_grad_norm_(parameters, **settings)
            if not is_scaled:
                self.note(GRADIENT, norm)
            log_later(wrapper.message_hub, {f'train/{wrapper.grad_name}': norm})
            return None  # or MMEngine would read it

        return look_and_clip

    @torch.no_grad()
    def _look(self, optimizer: Any) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group['params'] if p.grad is not None]
        gradients = [gradient.coalesce().values() if gradient.is_sparse else gradient for gradient in gradients]
        if (total := telling_sum(gradients)) is None:
            return
        if self.note is not None:
            self.note(GRADIENT, total)
        elif not math.isfinite(total.item()):
            what = self._what()
            raise DivergenceError(what, what=what)

    def _what(self) -> str:
        found = [
            name
            for name, parameter in self._model.named_parameters()
            if parameter.grad is not None and not bool(parameter.grad.isfinite().all())
        ]
        if not found:  # a sum overflows before its parts do
            return 'the gradients are too large for the sum of their sizes to be finite'
        others = len(found) - 1
        if not others:
            return f'the gradient of {found[0]} is not finite'
        return f'the gradients of {found[0]} and {others} more parameter{"s" * (others > 1)} are not finite'


def _is(one: object, other: object) -> bool:
    return one is other
