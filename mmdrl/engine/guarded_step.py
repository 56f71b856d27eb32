"""A training step that looks at its numbers before the optimiser uses them.

The model's own ``train_step`` runs, with a look at two places: after the forward pass at images and losses, and at the
gradients when the optimiser is about to step. What is found there leaves the step by an exception, so that the weights
stay as they were. On an accelerator a look waits for the device; unless batches are to be skipped, the steps there only
note what they see (``step_notes.py``), and the notes of many are read at once.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import compress
from typing import Any, cast

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from mmdrl.batch_samples import BatchSamples
from mmdrl.errors import DivergenceError

from .finite import RunningStatistics
from .gradient_look import GradientLook
from .left_out import KeptBuffers, end_step_without
from .model_parts import find_head, unwrap
from .non_finite_cause import Batch, Cause, find_cause
from .step_notes import IMAGES, StepNotes
from .telling_sum import read_sums, telling_sum

STATISTICS = 'a running mean or variance'
LONGEST = 64  # batches of one accumulation whose samples are remembered


class GuardedStep:
    """Takes the place of a model's ``train_step`` until :meth:`remove`.

    Args:
        model: The model as the runner holds it, wrapped or not.
        skips: Whether a step that goes wrong leaves no trace and returns no losses; else ``on_cause`` must raise.
        classes: Names of the classes.
        on_cause: Called on every process with the cause and, if it was noted, the first and the last iteration of which
            it may be, numbered from 0; may raise.
    """

    def __init__(self, model: nn.Module, skips: bool, classes: Sequence[str] | None, on_cause: Callable[..., None]):
        self.model = cast(Any, model)
        self.skips = skips
        self.classes = classes
        self.on_cause = on_cause
        own = unwrap(model)
        self._own: nn.Module = own
        self._device: torch.device = next(own.parameters()).device
        self.notes = StepNotes() if not skips and self._device.type != 'cpu' else None
        self._batches: deque[Batch] = deque(maxlen=LONGEST)  # that have gone into the gradients
        self._buffers = KeptBuffers(own)
        self.statistics = RunningStatistics(own)
        self._gradients = GradientLook(own, None if self.notes is None else self.notes.note)
        self._handles = [
            own.register_forward_pre_hook(self._before_forward, with_kwargs=True),
            own.register_forward_hook(self._after_forward, with_kwargs=True),
        ]
        self._step: Any = self.model.train_step
        self._replaced = self.model.__dict__.get('train_step')  # a compiled one
        self.model.train_step = self

    def remove(self) -> None:
        """Give the model its own step back."""
        if self._replaced is None:
            del self.model.__dict__['train_step']
        else:
            self.model.train_step = self._replaced
        for handle in self._handles:
            handle.remove()
        self._gradients.remove()

    def __deepcopy__(self, memo: dict[int, Any]) -> 'GuardedStep':
        return self  # a copy of the model, such as an average, does not train

    def __call__(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """Losses of the step; none if it was left out."""
        self._gradients.follow(optim_wrapper)
        if self.skips:
            self._buffers.keep()
        count = getattr(optim_wrapper, '_inner_count', 0)
        try:
            outputs: dict[str, Tensor] = self._step(data, optim_wrapper=optim_wrapper)
        except DivergenceError as error:
            self._buffers.restore()  # before the cause is looked for, by forward passes that use them
            self._answer(error)
            self._leave_out(optim_wrapper, had_backward=optim_wrapper._inner_count > count)
            return {}
        if self.notes is None:
            self._let_go(optim_wrapper)
        return outputs

    def end_iteration(self, iteration: int, optim_wrapper: Any, is_due: bool) -> None:
        """Close the notes of an iteration, numbered from 0, and read them if that is due, the same on all processes."""
        if self.notes is not None:
            self.notes.end_step(iteration, self._batches)
            if is_due:
                self.read_notes()
            self._let_go(optim_wrapper)

    def read_notes(self, is_alone: bool = False) -> None:
        """Look at what steps on an accelerator have noted since this was done before.

        Args:
            is_alone: Whether only this process does; else all must call this after the same iterations.
        """
        if self.notes is None or not (waiting := self.notes.waiting):
            return
        # They stay as they are once they are not finite, so it is enough to look now.
        statistics = telling_sum(self.statistics())
        found = self.notes.read(self._device, self.classes, is_alone)
        try:
            if found is None and statistics is not None:
                self._judge([STATISTICS], [statistics], is_alone)
            if not is_alone:
                self._check_head()
        except DivergenceError as error:
            if found is None:
                cause = Cause(error.what) if is_alone else self._cause(error)
                self.on_cause(cause, waiting[0], waiting[-1])
                return
        if found is not None:
            has_images = found.iteration == waiting[-1] and self._batches and not is_alone
            cause = self._cause(DivergenceError(found.what, what=found.what)) if has_images else found.cause
            self.on_cause(cause, found.iteration, found.iteration)

    @torch.compiler.disable
    def _before_forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if kwargs.get('mode') == 'loss':
            given = dict(zip(('inputs', 'data_samples'), args, strict=False)) | kwargs
            samples = given.get('data_samples')
            if self._batches:  # its images have been looked at, and memory is what accumulation is to spare
                self._batches[-1] = self._batches[-1]._replace(inputs=None)
            known: Any = samples if isinstance(samples, (list, tuple, BatchSamples)) else ()
            self._batches.append(Batch(given.get('inputs'), known))

    @torch.compiler.disable
    @torch.no_grad()
    def _after_forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], losses: Any) -> None:
        if kwargs.get('mode') != 'loss' or not isinstance(losses, dict):
            return
        images = self._batches[-1].inputs
        named = {name: losses[name] for name in losses if 'loss' in name}
        if self.notes is not None:
            for name, value in {IMAGES: images, **named}.items():
                if (total := telling_sum(value, by_row=name == IMAGES)) is not None:
                    self.notes.note(name, total.to(self._device))
            return
        values = {IMAGES: images, STATISTICS: self.statistics(), **named}
        sums = {name: total for name, value in values.items() if (total := telling_sum(value)) is not None}
        self._judge(list(sums), list(sums.values()))
        if self._device.type != 'cpu' or self._replaced is not None:  # on the CPU it looks for itself, unless compiled
            self._check_head()

    def _judge(self, names: list[str], sums: list[Tensor], is_alone: bool = False) -> None:
        """With several processes raise on all if one has found something."""
        found = [not math.isfinite(total) for total in read_sums(sums, self._device)]
        if get_world_size() > 1 and not is_alone:
            flags = torch.tensor(found, dtype=torch.uint8, device=self._device)
            all_reduce(flags, 'max')
            found = flags.tolist()
        if any(found):
            what = f'{" and ".join(compress(names, found))} {"is" if sum(found) == 1 else "are"} not finite'
            raise DivergenceError(what, what=what)

    def _check_head(self) -> None:
        head = find_head(self._own)
        if head is not None:
            head.check_divergence()

    def _answer(self, error: DivergenceError) -> None:
        with suppress(DivergenceError):
            self._check_head()  # what it has noted of this step as well is not to be said of a later one
        try:
            self.on_cause(self._cause(error))
        except DivergenceError as stop:
            raise stop from None

    def _cause(self, error: DivergenceError) -> Cause:
        return find_cause(self._own, tuple(self._batches), error.what, self.classes, self.notes is not None)

    def _leave_out(self, optim_wrapper: Any, had_backward: bool) -> None:
        if not had_backward and self._batches:  # none if train_step calls no forward
            self._batches.pop()
        try:
            is_done = end_step_without(optim_wrapper, had_backward)
        except DivergenceError as error:
            self._answer(error)
            is_done = True
        if is_done:
            self._batches.clear()

    def _let_go(self, optim_wrapper: Any) -> None:
        if isinstance(optim_wrapper, OptimWrapperDict) or optim_wrapper.should_update():
            self._batches.clear()
