"""Whether the ``CheckpointHook`` of a run is about to save.

Only the first process saves, but what all of them know can be gathered only if all take part. So all must know
beforehand. A save that is not foreseen, such as one by a hook of the user's, holds what the first process knows.
"""

from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner


def saves_after_iteration(runner: Runner, whole: bool = False) -> bool:
    """Asked after an iteration that is not counted yet.

    Args:
        runner: That trains.
        whole: Whether only what a run can go on from counts.
    """
    return any(
        not hook.by_epoch
        and (
            hook.every_n_train_iters(runner, hook.interval, hook.save_begin)
            or (hook.save_last and hook.is_last_train_iter(runner))
        )
        for hook in _savers(runner, whole)
    )


def saves_after_epoch(runner: Runner, whole: bool = False) -> bool:
    """Asked after an epoch that is not counted yet.

    Args:
        runner: That trains.
        whole: As above.
    """
    return any(
        hook.by_epoch
        and (
            hook.every_n_epochs(runner, hook.interval, hook.save_begin)
            or (hook.save_last and hook.is_last_train_epoch(runner))
        )
        for hook in _savers(runner, whole)
    )


def saves_after_validation(runner: Runner) -> bool:
    """Whether the best checkpoint is kept."""
    return any(hook.save_best for hook in _savers(runner))


def saving_plan(runner: Runner) -> list[str]:
    """What decides on all that: processes whose plans are equal foresee the same."""
    keys = ('by_epoch', 'interval', 'save_begin', 'save_last', 'save_best')
    return [str({key: getattr(hook, key) for key in keys}) for hook in _savers(runner)]


def _savers(runner: Runner, whole: bool = False) -> list[CheckpointHook]:
    hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    return [hook for hook in hooks if not whole or (hook.save_optimizer and hook.save_param_scheduler)]
