"""Config and checkpoint in, measures of the features out."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner

from mmdrl.datasets.labels import check_labels
from mmdrl.engine.build import start
from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.clean_set import loader_like
from mmdrl.engine.config import load_config
from mmdrl.engine.environment import describe_environment
from mmdrl.engine.model_parts import unwrap
from mmdrl.engine.preflight import check_data_paths
from mmdrl.engine.quiet import quiet_runner
from mmdrl.engine.rebalance.classes import class_counts, training_set
from mmdrl.engine.results import without_nan
from mmdrl.engine.shot_settings import shot_settings
from mmdrl.errors import ConfigError, DataError

from .features import collect
from .measures import all_measures
from .space import Space, view_of


def representation_report(
    config: str | Path | Config,
    checkpoint: str | Path,
    split: Literal['test', 'val'] = 'test',
    space: Space = 'classifier',
    normalize: bool | None = None,
    k: int = 20,
) -> dict[str, Any]:
    """Measures of the features of a model, in numbers, strings, lists and dicts that fit into JSON; nan is ``None``.

    Goes over the training images, every one once and without augmentation, and over held-out images. Needs their
    features in memory: 4 (N + M) D bytes, and 4 N D more for the nearest neighbours.

    Args:
        config: Of :func:`mmdrl.engine.config.load_config`, which stays as it is, or what that takes.
        checkpoint: Path or address.
        split: Which images are held out.
        space: ``'classifier'``: features that the classifier sees; ``'loss'``: those that the DR loss sees on the
            last of its layers.
        normalize: Whether to bring features to length 1. Not given: if a cosine classifier or the loss does so.
        k: Neighbours of kNN.

    Returns:
        ``checkpoint``, ``config``, ``split``, ``space``, ``normalized``, ``k``, ``images``, ``feature_size``,
        ``shot_groups`` and ``class_counts``, by which classes are grouped, say what was measured; then ``accuracy``,
        ``classes``, ``overall``, ``collapse`` and ``per_class``, see ``docs/representation.md``.

    Raises:
        MMDRLError: If config, data, checkpoint or machine do not fit.
    """
    if split not in ('test', 'val'):
        raise ConfigError(f"The split must be 'test' or 'val', got {split!r}.")
    if not isinstance(k, int) or k < 1:
        raise ConfigError(f'kNN needs a number of neighbours of at least 1, got {k!r}.')
    cfg = config if isinstance(config, Config) else load_config(str(config))
    path = str(checkpoint)
    content = read_checkpoint(path) or CheckpointLoader.load_checkpoint(path, map_location='cpu')
    if not isinstance(cfg.get(f'{split}_dataloader'), dict):
        raise ConfigError(
            f'Features are compared with those of held-out images, but the config has no {split}_dataloader.'
        )
    check_data_paths(cfg, (f'{split}_dataloader',))
    with TemporaryDirectory() as folder:
        runner = quiet_runner(cfg, path, content, folder)
        go = partial(_measure, runner, cfg, content, split, space, normalize, k)
        report: dict[str, Any] = start(go, runner)
    return dict(checkpoint=Path(path).name, config=Path(cfg.filename or '').stem) | report


@torch.no_grad()
def _measure(
    runner: Runner, cfg: Config, content: dict[str, Any], split: str, space: Space, normalize: bool | None, k: int
) -> dict[str, Any]:
    model = unwrap(runner.model)
    model.load_state_dict(content.get('state_dict', content), strict=False)  # runner_for has compared the names
    view = view_of(model, space, normalize)
    held_out = runner.build_dataloader(cfg[f'{split}_dataloader'])
    train = collect(view, loader_like(held_out, training_set(cfg)), 'Training images')
    test = collect(view, held_out, 'Held-out images')
    num_classes = getattr(model.head, 'num_classes', None) or int(train.labels.max()) + 1
    for labels in (train.labels, test.labels):
        check_labels(labels.cpu().numpy(), num_classes)
    groups, own_counts = shot_settings(cfg)
    known = class_counts(model, content, cfg, num_classes)
    counts = known.numpy() if own_counts is None else own_counts
    if len(counts) != num_classes:
        raise DataError(f'ShotAccuracy has class_counts of {len(counts)} classes, the model {num_classes}.')
    radii, is_same = view.radii(known)
    measures = all_measures(train, test, counts, groups, view.weight(), radii, is_same, k)
    about = dict(
        split=split,
        space=space,
        normalized=view.is_normalized,
        k=k,
        images=dict(train=len(train.labels), held_out=len(test.labels)),
        feature_size=train.features.shape[1],
        shot_groups=groups,
        class_counts=counts,
        made_with=describe_environment(cfg.filename),
    )
    whole: dict[str, Any] = without_nan(about | measures)
    return whole
