"""Figures during training, for whoever watches a run in TensorBoard or the like."""

from collections.abc import Collection
from typing import TYPE_CHECKING, get_args

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from numpy.typing import NDArray

from mmdrl.engine.class_radii import shot_settings_of
from mmdrl.engine.feature_maps import MAPS, MapName, draw_maps
from mmdrl.engine.figures.predictions import NAMES, prediction_figures
from mmdrl.engine.predictions import last_predictions
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import HOOKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100


@HOOKS.register_module()
class FigureHook(Hook):
    """Hands figures of validations to the backends of the visualiser, as images named after the figure.

    ``LocalVisBackend`` writes ``vis_data/vis_image/NAME_STEP.png``, ``TensorboardVisBackend`` has them among its
    images; the step is the number of finished epochs, or of iterations where a run counts those. ``class_accuracy``,
    ``group_confusion``, ``class_confusion`` and ``reliability`` are made of the predictions that the metrics have kept.
    ``feature_map`` and ``tsne`` take one more pass over the validation set, and need a ``DRHead`` with centroids; of
    several processes they show the first one's share. A figure for which the run has no data is left out.

    Args:
        interval: Epochs between two sets of figures, of a run that counts iterations validations. Those of the last
            validation are always handed over.
        figures: Their names.

    Raises:
        ConfigError: If the interval is no whole number above 0, or a name is unknown.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 10, figures: Collection[str] = ('class_accuracy', 'group_confusion')):
        known = (*NAMES, *get_args(MapName))
        names = [figures] if isinstance(figures, str) else list(figures)
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise ConfigError(f'FigureHook: figures must be some of {", ".join(known)}, got {figures!r}.')
        if type(interval) is not int or interval < 1:
            raise ConfigError(f'FigureHook: interval must be a whole number above 0, got {interval!r}.')
        self.interval = interval
        self.figures = names

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Draw, if it is time."""
        if not is_main_process() or not self._is_due(runner):
            return
        try:
            figures = self._draw(runner)
        except DataError as error:  # a picture is not worth a run
            runner.logger.warning(f'No figures of this validation: {error}')
            return
        for name, figure in figures.items():
            runner.visualizer.add_image(name, figure_image(figure, DPI), _step(runner))

    def _is_due(self, runner: Runner) -> bool:
        """Whether a multiple of the interval has been reached since the validation before; without any memory."""
        loop, step = runner._train_loop, _step(runner)
        if not isinstance(loop, BaseLoop):
            return True  # a validation without training
        if isinstance(loop, EpochBasedTrainLoop):
            return step >= loop.max_epochs or step % self.interval < loop.val_interval
        return step >= loop.max_iters or step // loop.val_interval % self.interval == 0

    def _draw(self, runner: Runner) -> dict[str, 'Figure']:
        figures: dict[str, Figure] = {}
        metrics = runner.val_loop.evaluator.metrics
        predictions = last_predictions(metrics)
        counts = next((m.class_counts for m in metrics if getattr(m, 'class_counts', None) is not None), None)
        settings = shot_settings_of(runner) or {}
        if counts is not None:
            figures |= prediction_figures(counts, settings, predictions, wanted=self.figures)
        maps = [name for name in MAPS if name in self.figures]
        return figures | (draw_maps(runner, maps, settings) if maps else {})


def _step(runner: Runner) -> int:
    """Finished epochs, or iterations where those are counted; 0 without training."""
    if not isinstance(runner._train_loop, BaseLoop):
        return 0
    return int(runner.epoch if isinstance(runner._train_loop, EpochBasedTrainLoop) else runner.iter)


def figure_image(figure: 'Figure', dpi: int) -> NDArray[np.uint8]:
    """The figure as MMEngine's backends take it: RGB, shape ``(H, W, 3)``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # late, as in mmdrl.visualization

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
