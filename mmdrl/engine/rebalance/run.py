"""Config and checkpoint in, accuracy of every rule on held-out images out, and the best one saved if wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner

from mmdrl.engine.build import start
from mmdrl.engine.checkpoints import read_checkpoint, write_checkpoint
from mmdrl.engine.features import extract_features
from mmdrl.engine.held_out import shows_same_images
from mmdrl.engine.model_parts import unwrap
from mmdrl.engine.output_files import check_target
from mmdrl.engine.preflight import check_data_paths
from mmdrl.engine.quiet import quiet_runner
from mmdrl.engine.shot_settings import shot_settings
from mmdrl.engine.stages.head import head_of_checkpoint
from mmdrl.errors import ConfigError, DataError, MMDRLError
from mmdrl.visualization.bars import with_bar

from .classes import class_centroids, class_counts
from .classifier import last_layer
from .rules import Rule, changed_entries, why_not
from .save import new_checkpoint
from .sweep import accuracies, best_of, check_metric, predicted_labels


@dataclass(frozen=True)
class Outcome:
    """What rebalancing has come to.

    Attributes:
        results: Accuracy in percent of every rule, by the names of ``METRICS``; the plain classifier first.
        best: The rule with the largest value of the metric.
        chosen_by: The metric.
        shot_groups: ``many``, ``few`` and ``edges``.
        held_out: Number of ``images``, and whether it ``shows_test_images``.
        centroids: Where those of nearest class mean are from, ``None`` without that rule.
        left_out: Names of rules that cannot be had, each with the reason.
    """

    results: dict[Rule, dict[str, float]]
    best: Rule
    chosen_by: str
    shot_groups: dict[str, Any]
    held_out: dict[str, Any]
    centroids: str | None
    left_out: dict[str, str]


def rebalance(
    cfg: Config, checkpoint: str, rules: Sequence[Rule], choose: str = 'all', out: Path | None = None
) -> Outcome:
    """Try rules on the validation set of a config, in one pass over its images.

    Args:
        cfg: Of :func:`mmdrl.engine.config.load_config`. It stays as it is, and so does its work folder.
        checkpoint: Path or address.
        rules: To try beside the plain classifier, in order.
        choose: Metric by which the best is chosen, a name in ``METRICS``; of equals the first is taken.
        out: File for a checkpoint with the best one, for testing by the same config. It is not for resuming.

    Raises:
        MMDRLError: If config, data, checkpoint or machine do not fit.
    """
    check_metric(choose)
    if out is not None:
        check_target('--out', out, checkpoint)
    content = read_checkpoint(checkpoint) or CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    earlier = (content.get('meta') or {}).get('rebalance')
    if earlier:
        raise ConfigError(
            f'{checkpoint} has been rebalanced already, from {earlier["source"]}, with {earlier["rule"]}. Take the '
            'checkpoint that was trained.'
        )
    if not isinstance(cfg.get('val_dataloader'), dict):
        raise ConfigError('Rebalancing chooses on the validation set, but the config has no val_dataloader.')
    check_data_paths(cfg, ('val_dataloader',))
    with TemporaryDirectory() as folder:
        runner = quiet_runner(cfg, checkpoint, content, folder)
        outcome: Outcome = start(partial(_try_rules, runner, cfg, checkpoint, content, rules, choose, out), runner)
    return outcome


def _try_rules(
    runner: Runner,
    cfg: Config,
    checkpoint: str,
    content: dict[str, Any],
    rules: Sequence[Rule],
    choose: str,
    out: Path | None,
) -> Outcome:
    model = unwrap(runner.model)
    name, layer = last_layer(model)
    model.load_state_dict(content.get('state_dict', content), strict=False)  # runner_for has compared the names
    num_classes = layer.out_features
    counts = class_counts(model, content, cfg, num_classes)
    groups, own_counts = shot_settings(cfg)
    group_counts = counts.numpy() if own_counts is None else own_counts
    left_out: dict[str, str] = {rule.name: reason for rule in rules if (reason := why_not(rule, layer))}
    loader = runner.build_dataloader(cfg.val_dataloader)
    features, labels = extract_features(model, with_bar(loader, 'held-out images'))
    if not features.isfinite().all():
        raise DataError('Features of held-out images are not finite. Has training diverged?')
    centroids, origin = None, None
    if any(rule.name.startswith('ncm') and rule.name not in left_out for rule in rules):
        try:
            centroids, origin = class_centroids(model, cfg, loader, num_classes, with_bar)
        except MMDRLError as error:  # all else can be had without
            left_out = {rule.name: str(error) for rule in rules if rule.name.startswith('ncm')} | left_out
    results = {}
    for rule in with_bar([Rule('plain'), *(rule for rule in rules if rule.name not in left_out)], 'rules'):
        entries = changed_entries(rule, layer, counts, centroids)
        predicted = predicted_labels(layer, entries, features)
        results[rule] = accuracies(predicted, labels, group_counts, groups)
    best = best_of(results, choose)
    is_test = shows_same_images(cfg.val_dataloader, cfg.get('test_dataloader'))
    held_out = dict(images=len(labels), shows_test_images=is_test)
    if out is not None:
        changes = changed_entries(best, layer, counts, centroids)
        record = dict(rule=best.name, strength=best.strength, chosen_by=choose, held_out=held_out)
        record |= dict(accuracy=results[best][choose], source=Path(checkpoint).name)
        # Which stage it is of tells whoever loads it what head it needs, if that is not the config's.
        keeps_stage = head_of_checkpoint(runner, content) is not None
        new = new_checkpoint(content, {f'{name}.{key}': value for key, value in changes.items()}, counts, record)
        write_checkpoint(new | (dict(stages=content['stages']) if keeps_stage else {}), out)
    return Outcome(results, best, choose, groups, held_out, origin, left_out)
