"""The best weights of a stage, for the stage after it to begin with.

Best by a metric of the validation, never of the test set. The weights lie in a file of their own in the work folder; a
checkpoint says which they are.
"""

from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.runner import Runner

from mmdrl.engine.checkpoints import read_checkpoint, write_checkpoint
from mmdrl.engine.model_parts import broadcast_state, unwrap
from mmdrl.errors import ConfigError, DataError

from .stage import LoadBest, Stage


class BestWeights:
    """Keeps the best weights of one stage.

    Args:
        stage: The stage that is watched.
        choice: By which metric.
    """

    def __init__(self, stage: Stage, choice: LoadBest):
        self.stage = stage
        self.choice = choice
        self.score: float | None = None
        self.epoch: int | None = None

    def path(self, runner: Runner) -> Path:
        """File of the weights."""
        name = ''.join(one if one.isalnum() or one in '-_' else f'%{ord(one):x}' for one in self.stage.name)
        return Path(runner.work_dir) / f'best_of_{name}.pth'

    def consider(self, runner: Runner, metrics: dict[str, Any], notes: dict[str, Any]) -> None:
        """Save the weights as they were measured (averaged ones, under an ``EMAHook``) if none were better.

        Args:
            runner: At the end of a validation.
            metrics: What it has measured.
            notes: What a test of the file needs besides the weights.

        Raises:
            ConfigError: If the metric was not measured.
        """
        metric = self.choice.metric
        if metric not in metrics:
            raise not_measured(metric, self.stage.name, sorted(metrics))
        value = float(metrics[metric])
        if value != value:
            runner.logger.warning(
                f'{metric} is nan, so these weights cannot be the best of stage {self.stage.name!r}. If no validation '
                'of the stage gives a number, the next stage cannot begin.'
            )
        if not self.choice.is_better(value, self.score):
            return
        self.score, self.epoch = value, runner.epoch
        if is_main_process():
            path = self.path(runner)
            content = dict(
                notes,
                state_dict={name: value.cpu() for name, value in unwrap(runner.model).state_dict().items()},
                meta=dict(epoch=runner.epoch, stage=self.stage.name, metric=metric, score=value),
            )
            write_checkpoint(content, path)

    def load(self, runner: Runner) -> None:
        """Give all processes the best weights.

        Raises:
            DataError: If there are none.
        """
        path, model = self.path(runner), unwrap(runner.model)
        if self.score is None:
            raise DataError(
                f'Stage {self.stage.name!r} has no best weights: no validation of this stage'
                f'{" since the run was resumed" * bool(runner._resume)} has given a number for {self.choice.metric!r}. '
                'Resume from a checkpoint before such a validation, or with another load_best.'
            )
        if is_main_process():
            content = read_checkpoint(str(path)) or {}
            model.load_state_dict(content['state_dict'])
            meta = content['meta']
            runner.logger.info(
                f'Best weights of stage {self.stage.name!r}: epoch {meta["epoch"]}, '
                f'{meta["metric"]} {meta["score"]:.4g}.'
            )
        broadcast_state(model)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return dict(score=self.score, epoch=self.epoch, metric=self.choice.metric, rule=self.choice.rule)

    def restore(self, runner: Runner, state: Any) -> None:
        """Take it up again.

        Raises:
            DataError: If it is none, or the weights are gone.
        """
        entries = state if isinstance(state, dict) else {}
        if entries and (entries.get('metric'), entries.get('rule')) != (self.choice.metric, self.choice.rule):
            runner.logger.warning(
                f'Best weights of stage {self.stage.name!r} were chosen by {entries.get("metric")!r} and are by '
                f'{self.choice.metric!r} ({self.choice.rule}) now: only epochs from here on take part.'
            )
            return
        score = entries.get('score')
        if score is not None and not isinstance(score, float):
            raise DataError(
                f'The checkpoint must hold a score of the best weights, got {score!r}. It is damaged: resume from '
                'another checkpoint.'
            )
        if score is not None and is_main_process() and not self.path(runner).is_file():
            raise DataError(
                f'Expected the best weights of stage {self.stage.name!r} at {self.path(runner)}, found none. Copy them '
                'there with the checkpoint, or resume in the folder of the run.'
            )
        self.score, self.epoch = score, entries.get('epoch')


def not_measured(metric: str, stage: str, names: list[str]) -> ConfigError:
    """The error for a metric that the validation does not measure."""
    return ConfigError(
        f'load_best chooses the best weights of stage {stage!r} by {metric!r}, but validation measures '
        f'{", ".join(names) or "nothing"}. Name one of these, or add a metric to val_evaluator.'
    )
