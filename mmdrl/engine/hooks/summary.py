"""At the end of training: table, figures, ``results.json``, and where the checkpoint lies."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmdrl.datasets.lists.broken_images import broken_paths, log_broken
from mmdrl.engine.classifier_name import classifier_name
from mmdrl.engine.environment import describe_environment, device_name, environment_text
from mmdrl.engine.feature_maps import draw_maps
from mmdrl.engine.figures import run_figures, write_figures
from mmdrl.engine.model_parts import unwrap
from mmdrl.engine.predictions import keep_predictions
from mmdrl.engine.results import FILE_NAME, single_numbers, write_results
from mmdrl.engine.run_record import read_run
from mmdrl.errors import DataError
from mmdrl.evaluation import ShotAccuracy
from mmdrl.registry import HOOKS
from mmdrl.visualization.result_tables import print_results

from .non_finite import skipped


@HOOKS.register_module()
class SummaryHook(Hook):
    """Says what the run has come to, from its last validation.

    Prints many / medium / few / all for every ``mmdrl.ShotAccuracy`` of the validation, and writes into the work
    directory ``results.json``, ``predictions.npz`` (what the metrics have kept of each validation image) and figures:
    those of :func:`mmdrl.engine.figures.run_figures`, and a map of the validation features with centroids and radii, up
    to 100 classes; of several processes the first one's share. ``results.json`` also has the last measures of every
    stage. Training images that were broken are listed in the log and, if there were any, as ``broken_images`` in
    ``results.json``; so is what ``NonFiniteHook`` has left out, as ``skipped_batches`` and ``skipped_images``. The log
    of training and test, every checkpoint (``meta.made_with``) and ``results.json`` say what the run was made with:
    command, revisions, machine, versions, processes, threads, deterministic switches, seed and total batch;
    ``results.json`` also the time it took in all its parts.

    Args:
        figures: Whether to draw the figures. They take some seconds, the map one more pass over the validation set.
    """

    priority = 'VERY_LOW'  # the last checkpoint has been written

    def __init__(self, figures: bool = True):
        self.figures = figures
        self._metrics: dict[str, float] = {}
        self._stages: dict[str, dict[str, float]] = {}
        self._classifiers: dict[str, str] = {}  # what each stage predicts with
        self._seconds_before = 0.0  # of the parts that were resumed
        self._began: float | None = None
        self._first_iter = -1
        self._logs: list[str] = []  # a folder for each part
        self._environment: dict[str, Any] = {}

    def before_run(self, runner: Runner) -> None:
        """Look at the code before it may change, and write down what the run is made with."""
        if not is_main_process():
            return
        trains = isinstance(runner._train_loop, BaseLoop)
        self._environment = describe_environment(runner.cfg.filename)
        self._environment |= dict(total_batch_size=_total_batch(runner) if trains else None, seed=runner.seed)
        runner.logger.info(environment_text(self._environment))

    def before_train(self, runner: Runner) -> None:
        """Begin to take the time."""
        self._began = time.monotonic()
        self._first_iter = runner.iter
        self._logs = list(dict.fromkeys([*self._logs, Path(runner.log_dir).name]))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep the newest measures, of each stage if there are stages."""
        self._metrics = single_numbers(metrics or {})
        stage = runner.message_hub.runtime_info.get('stage')
        if stage is not None:
            self._stages[stage] = dict(self._metrics)
            self._classifiers[stage] = classifier_name(unwrap(runner.model))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep those of the stages, the time so far, where its logs are, and what it is made with."""
        checkpoint['stage_metrics'] = dict(self._stages)
        checkpoint['stage_classifiers'] = dict(self._classifiers)
        checkpoint['train_seconds'] = self._seconds()
        checkpoint['log_folders'] = list(self._logs)
        checkpoint['meta']['made_with'] = dict(self._environment)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take them up again on resuming."""
        if runner._resume and isinstance(checkpoint.get('stage_metrics'), dict):
            self._stages = dict(checkpoint['stage_metrics'])
        if runner._resume and isinstance(checkpoint.get('stage_classifiers'), dict):
            self._classifiers = dict(checkpoint['stage_classifiers'])
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
            print_results(self._metrics, folder.name, classifier_name(model), self._stages, self._classifiers)
            runner.logger.info(f'Nothing was left to train: {folder / FILE_NAME} stays as the run has written it.')
            return
        checkpoint = folder / 'last_checkpoint'
        results = dict(
            run=folder.name,
            config=Path(runner.cfg.filename).stem if runner.cfg.filename else None,
            metrics=self._metrics,
            classifier=classifier_name(model),
            class_counts=None if counts is None else counts.tolist(),
            shot_groups=groups,
            per_class={name: values.tolist() for name, values in per_class.items()},
            epochs=runner.epoch,
            iterations=runner.iter,
            parameters=sum(p.numel() for p in model.parameters()),
            checkpoint=checkpoint.read_text().strip() if checkpoint.is_file() else None,
            **self._environment,
            devices=devices,
            train_seconds=round(self._seconds(), 1),
            log_folders=self._logs,
        )
        if self._stages:
            results['stages'] = self._stages
        if broken:
            results['broken_images'] = broken
        results |= skipped(runner)
        print_results(self._metrics, folder.name, classifier_name(model), self._stages, self._classifiers)
        kept = keep_predictions(runner.val_evaluator.metrics, folder)
        written = [write_results(results, folder), *kept]  # last: they say that the run has ended
        if self.figures:
            written += _draw(runner, folder, groups)
        runner.logger.info('Written: ' + ', '.join(map(str, written)))
        if results['checkpoint']:
            runner.logger.info(f'Checkpoint: {results["checkpoint"]}')

    def _seconds(self) -> float:
        return self._seconds_before + (0.0 if self._began is None else time.monotonic() - self._began)


def _draw(runner: Runner, folder: Path, groups: dict[str, Any]) -> list[Path]:
    """Figures of what the run has left, and the map of features, which needs the network."""
    try:
        figures = run_figures(read_run(folder)) | draw_maps(runner, ('feature_map',), groups)
        return write_figures(figures, folder / 'figures')
    except DataError as error:  # a picture is not worth the end of a run
        runner.logger.warning(f'No figures: {error}')
        return []


def _broken_images(runner: Runner) -> list[str]:
    """Paths of the training images that any process found broken, which are logged; every process must call it."""
    found = broken_paths(runner.train_dataloader.dataset)
    paths = sorted(set().union(*all_gather_object(found)))
    log_broken(paths)
    return paths


def _total_batch(runner: Runner) -> int | None:
    """Images in one batch of all processes; ``None`` if that is not fixed."""
    size = getattr(runner.train_loop.dataloader.batch_sampler, 'batch_size', None)
    return size * get_world_size() if isinstance(size, int) else None
