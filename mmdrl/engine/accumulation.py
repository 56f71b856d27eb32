"""Gradients summed up since the last step of the optimiser, for a checkpoint that is saved before the next.

With several processes each sums up its own, and DDP takes their mean when the step comes. Taking it earlier, for the
checkpoint, comes to the same.
"""

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.runner import Runner
from torch import Tensor

from mmdrl.errors import DataError

from .model_parts import unwrap

KEY = 'accumulation'


def is_unfinished(optim_wrapper: Any) -> bool:
    """Whether there are gradients that wait for a step (``accumulative_counts`` above 1)."""
    return getattr(optim_wrapper, '_accumulative_counts', 1) > 1 and not optim_wrapper.should_update()


@torch.no_grad()
def gradients_so_far(runner: Runner) -> dict[str, Any] | None:
    """What a checkpoint keeps of an unfinished accumulation, on the CPU; ``None`` if there is none.

    All processes must call this; the first gets the gradients.
    """
    if not is_unfinished(runner.optim_wrapper):
        return None
    learned = {name: p for name, p in unwrap(runner.model).named_parameters() if p.requires_grad}
    has_gradient = torch.tensor([p.grad is not None for p in learned.values()], dtype=torch.int)
    all_reduce(has_gradient)
    gradients: dict[str, Tensor] = {}
    for (name, parameter), count in zip(learned.items(), has_gradient.tolist(), strict=True):
        if count:
            mean = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
            if get_world_size() > 1:
                all_reduce(mean, op='mean')
            if is_main_process():  # which saves
                gradients[name] = mean.cpu()
    return dict(counts=runner.optim_wrapper._accumulative_counts, gradients=gradients)


@torch.no_grad()
def put_back_gradients(runner: Runner, saved: dict[str, Any] | None) -> None:
    """Go on with the gradients of a checkpoint, on every process, if as many iterations are a step as there.

    Args:
        runner: Its optimiser and the number of its iterations are there.
        saved: What :func:`gradients_so_far` has given.

    Raises:
        DataError: If it is something else, or of another model.
    """
    if saved is None:
        return
    parameters = dict(unwrap(runner.model).named_parameters())
    gradients = saved.get('gradients') if isinstance(saved, dict) else None
    if not isinstance(gradients, dict) or any(
        name not in parameters or not isinstance(value, Tensor) or value.shape != parameters[name].shape
        for name, value in gradients.items()
    ):
        raise DataError(
            f"The checkpoint's {KEY!r} must hold one gradient for each of some parameters of the model. It is damaged: "
            'resume from another checkpoint.'
        )
    counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
    if saved.get('counts') != counts:
        runner.logger.warning(
            f'The gradients that the checkpoint holds are left out: accumulative_counts was {saved.get("counts")} '
            f'and is {counts}.'
        )
        return
    for name, value in gradients.items():
        if parameters[name].requires_grad:
            parameters[name].grad = value.to(parameters[name])
    runner.logger.info(
        'The gradients summed up since the last step are back. What MMEngine warns of, that some are lost, is not so.'
    )
