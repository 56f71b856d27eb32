"""Names the stage in every line of the log and in the scalars of every backend."""

from typing import Any

from mmengine.runner import Runner

from .plan import StagePlan


class StageLog:
    """Stands in for a log processor of MMEngine, whose texts and scalars it completes.

    Args:
        processor: The log processor of the run.
        plan: Its stages.
    """

    def __init__(self, processor: Any, plan: StagePlan):
        self._processor = processor
        self._numbers = {stage.name: number for number, stage in enumerate(plan.stages, 1)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._processor, name)

    def get_log_after_iter(self, runner: Runner, batch_idx: int, mode: str) -> tuple[dict[str, Any], str]:
        """Scalars and text of an iteration."""
        return self._complete(runner, mode, *self._processor.get_log_after_iter(runner, batch_idx, mode))

    def get_log_after_epoch(
        self, runner: Runner, batch_idx: int, mode: str, *args: Any, **settings: Any
    ) -> tuple[dict[str, Any], str]:
        """Scalars and text of a validation or test."""
        return self._complete(
            runner, mode, *self._processor.get_log_after_epoch(runner, batch_idx, mode, *args, **settings)
        )

    def _complete(self, runner: Runner, mode: str, scalars: dict[str, Any], text: str) -> tuple[dict[str, Any], str]:
        name = runner.message_hub.runtime_info.get('stage')
        if mode == 'test' or name not in self._numbers:
            return scalars, text
        # A number, because TensorBoard takes no words.
        return {**scalars, 'stage': self._numbers[name]}, text.replace(']  ', f']  {name}  ', 1)


def name_stages(runner: Runner, plan: StagePlan) -> None:
    """Let the log of a run name its stages."""
    runner.log_processor = StageLog(runner.log_processor, plan)
