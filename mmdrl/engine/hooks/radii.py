"""Logs how the radii of the class balls and the spreads of the classes move during training."""

from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmdrl.engine.class_radii import class_radii, class_scalars, class_spreads, shot_settings_of
from mmdrl.engine.model_parts import find_head
from mmdrl.registry import HOOKS


@HOOKS.register_module()
class RadiusHook(Hook):
    """Adds scalars to every backend after each training epoch, none of which stands in the lines of the console.

    ``radius/mean``, ``radius/largest``, ``radius/smallest`` and ``radius/many``, ``/medium``, ``/few`` (means over the
    classes of a group) are those of the last layer with the DR loss, in the unit of its distance; ``spread/mean`` and
    so on the root mean square distances of a class's features from its centroid, in the space that the classifier
    sees. Groups have the edges of the first ``mmdrl.ShotAccuracy``. A run without a ``DRHead`` has none of them, one
    without DR loss the spreads alone. A loop that counts iterations logs them before each validation.
    """

    priority = 'LOW'  # after CentroidHook has published

    def after_train_epoch(self, runner: Runner) -> None:
        """Log those of the epoch that ends."""
        self._log(runner)

    def before_val(self, runner: Runner) -> None:
        """Log those of the interval that ends."""
        if isinstance(runner._train_loop, IterBasedTrainLoop) and runner.iter < runner.max_iters:
            self._log(runner)

    def _log(self, runner: Runner) -> None:
        head = find_head(runner.model)
        if head is None or not is_main_process():
            return
        counts = head.class_counts.cpu().numpy()
        if not counts.any():
            return
        settings = shot_settings_of(runner)
        scalars: dict[str, Any] = {}
        radii = class_radii(head)
        if radii is not None:
            scalars |= class_scalars('radius', radii, counts, settings)
        scalars |= class_scalars('spread', class_spreads(head), counts, settings)
        if scalars:
            runner.visualizer.add_scalars(scalars, step=runner.iter, file_path=f'{runner.timestamp}.json')
