"""How far a run has come that breaks off, and how it is gone on with."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner

from mmdrl.errors import ConfigError, DivergenceError, Interrupted, MMDRLError
from mmdrl.started import STARTED, resume_command

from .checkpoints import latest_checkpoint


def way_back(runner: Runner, arguments: Sequence[str] | None = None) -> str:
    """Where a run has stopped, its last checkpoint, and the command that goes on.

    Args:
        runner: That has trained.
        arguments: Of the command; those of this process if not given.
    """
    loop = runner.train_loop
    if isinstance(loop, EpochBasedTrainLoop):
        where = f'epoch {min(loop.epoch + 1, loop.max_epochs)} of {loop.max_epochs}'
    else:
        where = f'iteration {min(loop.iter + 1, loop.max_iters)} of {loop.max_iters}'
    stage = runner.message_hub.runtime_info.get('stage')
    where += f' (stage {stage!r})' if stage else ''
    try:
        checkpoint = latest_checkpoint(runner.work_dir)
    except MMDRLError:
        checkpoint = None
    if not checkpoint:
        return f'It was in {where}, before its first checkpoint.'
    arguments = sys.argv if arguments is None else arguments
    # What torchrun, srun or the like was told is not known here.
    is_known = STARTED in os.environ or int(os.environ.get('WORLD_SIZE', 1)) == 1
    how = f'Go on with: {resume_command(arguments)}' if is_known else 'Go on with the same command and --resume.'
    return f'It was in {where}; the last checkpoint is {Path(checkpoint).name}. {how}'


def note_way_back(error: Exception, runner: Runner | None) -> None:
    """Write into ``error.way_back`` how to go on, if the run has trained and the same command may get further."""
    if runner is not None and has_trained(runner) and not isinstance(error, (ConfigError, DivergenceError)):
        vars(error)['way_back'] = way_back(runner)


def tell_interrupt(interrupt: KeyboardInterrupt, runner: Runner | None) -> KeyboardInterrupt:
    """The interrupt of a run with what is to be said of it: where the run was, and how it is gone on with.

    Args:
        interrupt: From the keyboard, or of :class:`mmdrl.PreemptionHook`.
        runner: Of the run, if it has been built.
    """
    if isinstance(interrupt, Interrupted):
        words = 'It ended at once, without saving. ' if interrupt.is_at_once else ''
        return Interrupted(words + way_back(runner), interrupt.number) if runner else interrupt
    return KeyboardInterrupt(*([way_back(runner)] if runner is not None and has_trained(runner) else []))


def has_trained(runner: Runner | None) -> bool:
    """Whether it has trained an iteration itself, beyond those of the checkpoint that it has gone on from."""
    loop = built_train_loop(runner)
    return loop is not None and loop.iter > getattr(runner, 'began_at', 0)


def built_train_loop(runner: Runner | None) -> Any:
    """The loop, None if none has been built; ``runner.train_loop`` would build the one that may just have failed."""
    loop = runner and runner._train_loop
    return loop if isinstance(loop, BaseLoop) else None
