"""What the training steps on an accelerator have seen, kept there until it is read.

A step leaves numbers that are finite if what they were made of is: a sum for each image, the losses, the norm of the
gradients. They stay on the device; many steps are read at once, and which step was the first to go wrong is found then.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_gather_object, all_reduce, get_world_size
from torch import Tensor

from .non_finite_cause import Batch, Cause, agreed_cause
from .sample_names import nameable, sample_names

IMAGES = 'an image'
_LATER = 1 << 62


class Step(NamedTuple):
    """One training step.

    Attributes:
        iteration: Its number, from 0.
        names: What was looked at, and at how many numbers of each.
        values: All of these numbers, on the device.
        batches: That went into the step, without their images.
    """

    iteration: int
    names: list[tuple[str, int]]
    values: Tensor
    batches: tuple[Batch, ...]


class Found(NamedTuple):
    """The first step that went wrong, the same on all processes.

    Attributes:
        iteration: Its number, from 0.
        what: Such as ``'loss_cls and loss are not finite'``.
        cause: As far as the notes tell.
    """

    iteration: int
    what: str
    cause: Cause


class StepNotes:
    """Notes of the steps since they were last read."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Tensor]] = []
        self._steps: list[Step] = []

    @torch.no_grad()
    def note(self, name: str, values: Tensor) -> None:
        """Keep numbers of the step under way, any shape, that are finite if all is well; nothing is read."""
        self._open.append((name, values.detach().reshape(-1)))

    def end_step(self, iteration: int, batches: Sequence[Batch]) -> None:
        """What was noted since the step before is of this one."""
        noted, self._open = self._open, []
        if noted:
            names = [(name, len(values)) for name, values in noted]
            kept = tuple(Batch(None, nameable(batch.samples)) for batch in batches)
            self._steps.append(Step(iteration, names, torch.cat([values for _, values in noted]), kept))

    @property
    def waiting(self) -> list[int]:
        """Numbers of the steps that have not been read."""
        return [step.iteration for step in self._steps]

    def read(self, device: torch.device, classes: Sequence[str] | None, is_alone: bool = False) -> Found | None:
        """The first step that went wrong, if one has; waits for the device once.

        Args:
            device: Where to talk to the other processes.
            classes: Names of the classes.
            is_alone: Whether only this process reads, and the notes stay; else all must call this after the same steps.
        """
        steps = self._steps
        self._steps = steps if is_alone else []
        bad = _first_bad(steps)
        first = _LATER if bad is None else bad[0].iteration
        is_alone = is_alone or get_world_size() == 1
        if not is_alone:
            common = torch.tensor(first, device=device)
            all_reduce(common, 'min')
            first = int(common)
        if first == _LATER:
            return None
        step, flags = bad if bad is not None and bad[0].iteration == first else (_step_of(steps, first), [])
        own = _own_cause(step, flags, classes)
        names = list(dict.fromkeys(name for (name, _), flag in zip(step.names, flags, strict=bool(flags)) if any(flag)))
        found: list[Any] = [(names, own)] if is_alone else all_gather_object((names, own))
        several = list(dict.fromkeys(name for names, _ in found for name in names))
        what = f'{" and ".join(several)} {"is" if len(several) == 1 else "are"} not finite'
        return Found(first, what, agreed_cause([cause._replace(what=what) for _, cause in found], what))


def _first_bad(steps: list[Step]) -> tuple[Step, list[list[bool]]] | None:
    """The first step with a number that is not finite, and which they are, by name."""
    if not steps:
        return None
    flags = iter((~torch.cat([step.values for step in steps]).isfinite()).tolist())
    for step in steps:
        of_step = [[next(flags) for _ in range(size)] for _, size in step.names]
        if any(map(any, of_step)):
            return step, of_step
    return None


def _step_of(steps: list[Step], iteration: int) -> Step:
    known = [step for step in steps if step.iteration == iteration]
    return known[0] if known else Step(iteration, [], torch.zeros(0), ())


def _own_cause(step: Step, flags: list[list[bool]], classes: Sequence[str] | None) -> Cause:
    names = [sample_names(batch.samples, classes) for batch in step.batches]
    samples = tuple(name for of_batch in names for name in of_batch)
    images = [flag for (name, _), of_name in zip(step.names, flags, strict=False) if name == IMAGES for flag in of_name]
    last = names[-1] if names else []  # those of an accumulation before it were noted with their own steps
    spoilt = [name for name, is_bad in zip(last, images, strict=True) if is_bad] if len(last) == len(images) else []
    return Cause('', tuple(spoilt) or samples, len(samples), is_image=bool(spoilt))
