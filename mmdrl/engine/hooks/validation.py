"""Names for what validations have measured, and a word when the value that decides is none."""

import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.visualization import BaseVisBackend, LocalVisBackend

from mmdrl.engine.chosen_metrics import check_chosen, chosen_metrics
from mmdrl.registry import HOOKS


@HOOKS.register_module()
class ValidationHook(Hook):
    """Has every backend but the file on disk name the values of a validation ``val/many``, ``val/ece`` and so on.

    MMEngine sends them as ``many``, and ``time`` beside the ``time`` of training. ``scalars.json`` keeps those names.
    It also says so when the metric of ``save_best`` or of ``EarlyStoppingHook`` is nan, or is none that is measured.
    """

    priority = 'HIGH'  # before LoggerHook and CheckpointHook

    def __init__(self) -> None:
        self._backends: list[_NamedBackend] = []
        self._told: set[str] = set()

    def before_run(self, runner: Runner) -> None:
        """Put the names between visualizer and backends."""
        backends = runner.visualizer._vis_backends
        for name, backend in backends.items():
            if not isinstance(backend, (LocalVisBackend, _NamedBackend)):
                backends[name] = _NamedBackend(backend)
        self._backends = [backend for backend in backends.values() if isinstance(backend, _NamedBackend)]

    def before_val_epoch(self, runner: Runner) -> None:
        """What is sent from here on is of the validation."""
        self._prefix('val/')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Look at the values that decide.

        Raises:
            ConfigError: If one is not measured.
        """
        for name, hook in chosen_metrics(runner) if metrics else ():
            check_chosen(name, hook, list(metrics or {}))
            if _is_nan((metrics or {})[name]) and name not in self._told:
                self._told.add(name)
                runner.logger.warning(_no_number(name, hook))

    def after_val(self, runner: Runner) -> None:
        """What is sent from here on is of the training."""
        self._prefix('')

    def _prefix(self, prefix: str) -> None:
        for backend in self._backends:
            backend.prefix = prefix


class _NamedBackend:
    """Stands in for a backend, and puts a prefix before the names of its scalars."""

    def __init__(self, backend: BaseVisBackend):
        self._backend = backend
        self.prefix = ''

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def add_scalar(self, name: str, value: Any, step: int = 0, **settings: Any) -> None:
        self._backend.add_scalar(self.prefix + name, value, step, **settings)

    def add_scalars(
        self, scalar_dict: dict[str, Any], step: int = 0, file_path: str | None = None, **settings: Any
    ) -> None:
        named = {self.prefix + name: value for name, value in scalar_dict.items()}
        self._backend.add_scalars(named, step, file_path, **settings)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _no_number(name: str, hook: str) -> str:
    """A warning that names what follows, and why it may be so."""
    what = 'so these weights cannot be the best' if hook == 'CheckpointHook' else 'which ends the training'
    return (
        f'{name} is nan, {what}. Is there a class in that group (many and few of mmdrl.ShotAccuracy), has it a '
        'validation image, and are there centroids yet, if it is of ncm? Else choose by another metric.'
    )
