"""What is done to whole batches of training images in a stage, in place of the steps of the data preprocessor."""

from typing import Any

from torch import nn

from mmdrl.errors import ConfigError
from mmdrl.models import BatchDataPreprocessor
from mmdrl.models.preprocessors import BatchAugmentation

from .plan import StagePlan
from .stage import Stage


class StageAugments:
    """The augmentation of each stage, built; switches that of the data preprocessor.

    Args:
        model: Not wrapped; its preprocessor as the config has it.
        plan: The stages.

    Raises:
        ConfigError: If a stage has steps that cannot be built, or the preprocessor takes none.
    """

    def __init__(self, model: nn.Module, plan: StagePlan):
        self._preprocessor: Any = getattr(model, 'data_preprocessor', None)
        self._takes_augments = isinstance(self._preprocessor, BatchDataPreprocessor)
        self.of_stages = [self._of(stage) for stage in plan.stages]

    def switch(self, index: int) -> None:
        """Augment as a stage has it."""
        if self._takes_augments:
            self._preprocessor.augments = self.of_stages[index]

    def _of(self, stage: Stage) -> BatchAugmentation | None:
        if stage.augments is None:
            return self._preprocessor.augments if self._takes_augments else None
        if not self._takes_augments:
            raise ConfigError(
                f'Stage {stage.name!r}: augments takes the place of those of mmdrl.BatchDataPreprocessor, and the '
                f'model has a {type(self._preprocessor).__name__}. Give data_preprocessor=dict(type='
                "'mmdrl.BatchDataPreprocessor'), or the stage a pipeline."
            )
        try:
            return BatchAugmentation(stage.augments) if stage.augments else None
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f'Stage {stage.name!r}: the augments do not fit: {error}') from error
