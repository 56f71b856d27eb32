"""At the end of training: table, figures, ``results.json``, and where the checkpoint lies."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.dist import all_gather_object, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console

from mmdrl.datasets.lists.broken_images import broken_paths, log_broken
from mmdrl.engine.environment import describe_environment, device_name
from mmdrl.engine.features import extract_features
from mmdrl.engine.model_parts import unwrap
from mmdrl.engine.results import FILE_NAME, single_numbers, write_results
from mmdrl.evaluation import ShotAccuracy
from mmdrl.models import DRHead
from mmdrl.registry import HOOKS
from mmdrl.visualization import accuracy_table, by_classifier, class_accuracy_figure, feature_map_figure

MAX_CLASSES_IN_MAP = 50


@HOOKS.register_module()
class SummaryHook(Hook):
    """Says what the run has come to, from its last validation.

    Prints many / medium / few / all for every ``mmdrl.ShotAccuracy`` of the validation, writes
    ``results.json`` and two figures (class counts with per-class accuracy; map of the validation features
    with centroids and radii, up to 50 classes; of several processes the first one's share) into the work
    directory. ``results.json`` also has the last measures of every stage. Training images that were broken are listed
    in the log and, if there were any, as ``broken_images`` in ``results.json``. It also says what the run was made
    with: command, revision, machine, versions, processes, batch, and the time it took in all its parts.

    Args:
        figures: Whether to draw the figures. The map takes one more pass over the validation set.
    """

    priority = 'VERY_LOW'  # the last checkpoint has been written

    def __init__(self, figures: bool = True):
        self.figures = figures
        self._metrics: dict[str, float] = {}
        self._stages: dict[str, dict[str, float]] = {}
        self._seconds_before = 0.0  # of the parts that were resumed
        self._began: float | None = None
        self._first_iter = -1
        self._logs: list[str] = []  # a folder for each part
        self._environment: dict[str, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Begin to take the time, and look at the code before it may change."""
        self._began = time.monotonic()
        self._first_iter = runner.iter
        self._logs = list(dict.fromkeys([*self._logs, Path(runner.log_dir).name]))
        self._environment = describe_environment() if is_main_process() else {}

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep the newest measures, of each stage if there are stages."""
        self._metrics = single_numbers(metrics or {})
        stage = runner.message_hub.runtime_info.get('stage')
        if stage is not None:
            self._stages[stage] = dict(self._metrics)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep those of the stages, the time so far, and where its logs are."""
        checkpoint['stage_metrics'] = dict(self._stages)
        checkpoint['train_seconds'] = self._seconds()
        checkpoint['log_folders'] = list(self._logs)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take them up again on resuming."""
        if runner._resume and isinstance(checkpoint.get('stage_metrics'), dict):
            self._stages = dict(checkpoint['stage_metrics'])
        if runner._resume and isinstance(checkpoint.get('train_seconds'), float):
            self._seconds_before = checkpoint['train_seconds']
        if runner._resume and isinstance(checkpoint.get('log_folders'), list):
            self._logs = list(checkpoint['log_folders'])

    def after_train(self, runner: Runner) -> None:
        """Print and write, on the first process."""
        broken = _broken_images(runner)
        devices = all_gather_object(device_name(next(runner.model.parameters()).device))
        if not is_main_process() or not self._metrics:
            return
        model = unwrap(runner.model)
        shots = {
            (metric.prefix or 'linear'): metric
            for metric in runner.val_evaluator.metrics
            if isinstance(metric, ShotAccuracy)
        }
        groups: dict[str, Any] = next((dict(many=m.many, few=m.few, edges=m.edges) for m in shots.values()), {})
        per_class = {name: metric.per_class for name, metric in shots.items() if metric.per_class is not None}
        counts = next((np.asarray(m.class_counts) for m in shots.values() if m.class_counts is not None), None)
        folder = Path(runner.work_dir)
        if runner.iter == self._first_iter and (folder / FILE_NAME).is_file():
            Console().print(accuracy_table(by_classifier(self._metrics), title=folder.name))
            runner.logger.info(f'Nothing was left to train: {folder / FILE_NAME} stays as the run has written it.')
            return
        checkpoint = folder / 'last_checkpoint'
        results = dict(
            run=folder.name,
            config=Path(runner.cfg.filename).stem if runner.cfg.filename else None,
            metrics=self._metrics,
            class_counts=None if counts is None else counts.tolist(),
            shot_groups=groups,
            per_class={name: values.tolist() for name, values in per_class.items()},
            epochs=runner.epoch,
            iterations=runner.iter,
            seed=runner.seed,
            parameters=sum(p.numel() for p in model.parameters()),
            checkpoint=checkpoint.read_text().strip() if checkpoint.is_file() else None,
            **self._environment,
            devices=devices,
            total_batch_size=_total_batch(runner),
            train_seconds=round(self._seconds(), 1),
            log_folders=self._logs,
        )
        if self._stages:
            results['stages'] = self._stages
        if broken:
            results['broken_images'] = broken
        Console().print(accuracy_table(by_classifier(self._metrics), title=folder.name))
        written = [write_results(results, folder)]
        if self.figures and counts is not None:
            written += self._draw(runner, model, class_accuracy_figure(counts, per_class, **groups), counts)
        runner.logger.info('Written: ' + ', '.join(map(str, written)))
        if results['checkpoint']:
            runner.logger.info(f'Checkpoint: {results["checkpoint"]}')

    def _seconds(self) -> float:
        return self._seconds_before + (0.0 if self._began is None else time.monotonic() - self._began)

    def _draw(self, runner: Runner, model: Any, class_accuracy: Figure, counts: np.ndarray) -> list[Path]:
        figures = {'class_accuracy': class_accuracy}
        head = getattr(model, 'head', None)
        if isinstance(head, DRHead) and head.num_classes <= MAX_CLASSES_IN_MAP and head.centroids.is_seen.all():
            features, labels = extract_features(model, runner.val_dataloader)
            if features.isfinite().all():
                figures['feature_map'] = feature_map_figure(
                    features.numpy(),
                    labels.numpy(),
                    head.centroids.centroids.cpu().numpy(),
                    _radius(head),
                    class_counts=counts,
                )
            else:
                runner.logger.warning('No feature map: features of the validation set are not finite.')
        folder = Path(runner.work_dir) / 'figures'
        folder.mkdir(exist_ok=True)
        paths = [folder / f'{name}.png' for name in figures]
        for path, figure in zip(paths, figures.values(), strict=True):
            figure.savefig(path, dpi=120)
        return paths


def _broken_images(runner: Runner) -> list[str]:
    """Paths of the training images that any process found broken, which are logged; every process must call it."""
    found = broken_paths(runner.train_dataloader.dataset)
    paths = sorted(set().union(*all_gather_object(found)))
    log_broken(paths)
    return paths


@torch.no_grad()
def _radius(head: DRHead) -> np.ndarray:
    """Radii in the space that the classifier sees, of the layer whose loss acts there; 0 if there is none."""
    for layer in head.dr_layers:
        if layer.centroids is None and getattr(layer.dr_loss, 'distance', None) == 'euclidean':
            return layer.dr_loss.radius(head.statistics).cpu().numpy()
    return np.zeros(head.num_classes)


def _total_batch(runner: Runner) -> int | None:
    """Images in one batch of all processes; ``None`` if that is not fixed."""
    size = getattr(runner.train_loop.dataloader.batch_sampler, 'batch_size', None)
    return size * get_world_size() if isinstance(size, int) else None
