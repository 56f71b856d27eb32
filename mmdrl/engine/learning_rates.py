"""The learning rates that a schedule will give, found by running it without its training."""

from mmengine.hooks import ParamSchedulerHook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner


def learning_rates(runner: Runner, epochs: int | None, iterations: int | None) -> dict[str, float | None]:
    """Base learning rate in the first and the last iteration from here on, and the extremes between.

    Args:
        runner: With optimiser and schedule, which are run on.
        epochs: How many; ``None``: there are iterations only.
        iterations: Of each epoch, or of all; ``None`` if unknown.

    Returns:
        ``first``, ``last``, ``highest``, ``lowest``; ``None`` for what cannot be known.
    """
    unknown: dict[str, float | None] = dict(first=None, last=None, highest=None, lowest=None)
    if isinstance(runner.optim_wrapper, OptimWrapperDict):
        return unknown
    hook = next((hook for hook in runner.hooks if isinstance(hook, ParamSchedulerHook)), None)
    schedules = runner.param_schedulers if hook is not None and runner.param_schedulers else []
    group = runner.optim_wrapper.optimizer.param_groups[0]
    first = last = highest = lowest = float(group['lr'])
    by_iteration = any(not schedule.by_epoch for schedule in schedules)
    if any(getattr(schedule, 'need_val_args', False) for schedule in schedules) or (by_iteration and not iterations):
        return dict(unknown, first=first)
    for _ in range(epochs or 1):
        for _ in range(iterations or 1 if by_iteration else 1):
            last = float(group['lr'])
            highest, lowest = max(highest, last), min(lowest, last)
            if hook is not None and by_iteration:
                hook.after_train_iter(runner, 0)
        if hook is not None:
            hook.after_train_epoch(runner)
    return dict(first=first, last=last, highest=highest, lowest=lowest)
