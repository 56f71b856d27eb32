"""What is not finite in a training step, and which samples it is of, in words.

A loss that is nan says nothing of where nan came from. So the step is gone over again, from its images on: the images,
then the weights, then every layer in eval mode, where no sample sees another. Whatever has samples of its own is
believed before what only the batch as a whole shows, on whichever process it lies.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_gather_object
from torch import Tensor, nn

from .sample_names import sample_names

_SHOWN = 3  # samples in a sentence
REMEDY = (
    'Lower the learning rate, clip gradients (optim_wrapper.clip_grad=dict(max_norm=...)), or lower the loss weights.'
)
_MEND = (
    'Mend these images or take them out of the training set, or let training leave such batches out: '
    '--cfg-options default_hooks.non_finite.action=skip'
)


class Batch(NamedTuple):
    """What a model was given in a training step, after its data preprocessor.

    Attributes:
        inputs: Images ``(B, ...)``, or whatever else the model takes.
        samples: What is known of each; empty if nothing is.
    """

    inputs: Any
    samples: Sequence[Any]


class Cause(NamedTuple):
    """What is not finite.

    Attributes:
        what: Such as ``'the output of backbone.conv1'``; empty if this process has found nothing.
        samples: Names of those that it is of.
        size: Samples in the batch.
        is_image: Whether the images themselves are not.
        is_weight: Whether it is a weight, so that the next batch will fare no better.
    """

    what: str = ''
    samples: tuple[str, ...] = ()
    size: int = 0
    is_image: bool = False
    is_weight: bool = False

    @property
    def is_of_samples(self) -> bool:
        """Whether some samples are to blame and others are not."""
        return self.is_image or 0 < len(self.samples) < self.size

    @property
    def hides_samples(self) -> bool:
        """Whether the sentence leaves out names that the log should have."""
        return len(self.samples) > _SHOWN

    @property
    def finding(self) -> str:
        """What is not finite, and of which samples the first few."""
        listed = ', '.join(self.samples[:_SHOWN])
        listed += f' and {len(self.samples) - _SHOWN} more, which the log names' if self.hides_samples else ''
        if self.is_image:
            return f'pixels are nan or infinite in {listed}'
        if self.is_of_samples:
            return f'{self.what} for {len(self.samples)} of {self.size} samples: {listed}'
        return f'{self.what}, for the batch as a whole: {listed}' if listed else self.what

    def sentence(self, when: str) -> str:
        """What has happened, and what to do."""
        if self.is_image:
            return f'Training cannot go on {when}: {self.finding}. {_MEND}.'
        return f'Training has diverged {when}: {self.finding}. {REMEDY}'


@torch.no_grad()
def find_cause(
    model: nn.Module, batches: Sequence[Batch], said: str, classes: Sequence[str] | None, has_stepped: bool = False
) -> Cause:
    """The cause on whichever process has the most exact one, the same on all, all of which must call this.

    Args:
        model: Not wrapped; stays as it is.
        batches: Of this process, all that went into the step.
        said: What is known already, such as ``'loss_cls is not finite'``.
        classes: Names of the classes.
        has_stepped: Whether the weights have taken the step in, and tell of nothing if they are not finite.
    """
    own = _own_cause(model, batches, classes, has_stepped)
    if own is None:
        names = tuple(name for batch in batches for name in sample_names(batch.samples, classes))
        own = Cause(said, names, len(names))
    return agreed_cause(all_gather_object(own), said)


def agreed_cause(found: Sequence[Cause], said: str) -> Cause:
    """The most exact of the causes that the processes have found, by rank.

    Args:
        found: In the same order on all processes.
        said: What is known already; a cause that says the same says nothing new.
    """
    images = [cause for cause in found if cause.is_image]
    if images:  # of several processes at once: name them all
        return Cause('', tuple(name for cause in images for name in cause.samples), images[0].size, is_image=True)
    exact = [cause for cause in found if cause.is_of_samples] or [cause for cause in found if cause.what != said]
    if exact:
        return exact[0]
    samples = tuple(name for cause in found for name in cause.samples)
    return Cause(said, samples, len(samples))


def _own_cause(
    model: nn.Module, batches: Sequence[Batch], classes: Sequence[str] | None, has_stepped: bool
) -> Cause | None:
    spoilt: list[str] = []
    for batch in batches:
        if isinstance(batch.inputs, Tensor) and len(batch.samples) == len(batch.inputs):
            names = sample_names(batch.samples, classes)
            spoilt += [names[row] for row in bad_rows(batch.inputs)]
    if spoilt:
        return Cause('', tuple(spoilt), sum(len(batch.samples) for batch in batches), is_image=True)
    for name, parameter in model.named_parameters():
        if not bool(parameter.isfinite().all()):
            return None if has_stepped else Cause(f'{name}, a weight, was not finite before the step', is_weight=True)
    for batch in batches:
        found = _first_layer(model, batch)
        if found is not None:
            names, (what, rows) = sample_names(batch.samples, classes), found
            return Cause(what, tuple(names[row] for row in rows), len(names))
    return None


def bad_rows(values: Tensor) -> list[int]:
    """Samples, the first dimension, with a value that is not finite."""
    return (~values.detach().reshape(len(values), -1).isfinite().all(dim=1)).nonzero().flatten().tolist()


def _first_layer(model: nn.Module, batch: Batch) -> tuple[str, list[int]] | None:
    """What is wrong with the output of a layer, the first one, and for which samples, in eval mode.

    Before one is not finite, it may be too large for its square to be, of which variances are made.
    """
    if not isinstance(batch.inputs, Tensor) or len(batch.samples) != len(batch.inputs):
        return None
    found: dict[str, tuple[str, list[int]]] = {}

    def look(name: str, output: Any) -> None:
        for value in output if isinstance(output, (tuple, list)) else (output,):
            if (
                not isinstance(value, Tensor)
                or not value.is_floating_point()
                or value.shape[:1] != (len(batch.samples),)
            ):
                continue
            for fault, judged in ('is not finite', value), ('is too large to be squared', value.float().square()):
                if fault not in found and (rows := bad_rows(judged)):
                    found[fault] = f'the output of {name} {fault}', rows

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: look(name, output))
        for name, module in model.named_modules()
        if name
    ]
    try:
        with in_eval_mode(model):
            model(batch.inputs, batch.samples, mode='tensor')
    except Exception:  # a model that knows no such mode; what is to be told is what stopped the step
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return next((found[fault] for fault in ('is not finite', 'is too large to be squared') if fault in found), None)


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """All parts in eval mode, and afterwards each as it was, frozen ones too."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
