"""A trained model as it predicts: config and checkpoint in, model out, with the rule that is wanted.

The head of a checkpoint may be another than that of its config, where a stage has put one in its place: the stages of
the config and the name in the checkpoint tell which. MMPretrain knows nothing of that, and takes the config of
:func:`config_of_checkpoint`.
"""

import math
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from mmengine.config import Config
from mmengine.fileio import list_from_file
from mmengine.registry import MODELS as ALL_MODELS
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from torch import nn

from mmdrl.errors import ConfigError
from mmdrl.models import DRHead
from mmdrl.models.heads.prediction import checked_settings, scores
from mmdrl.registry import DATASETS

from .checkpoints import check_belongs, read_checkpoint
from .config import innermost_dataset, load_config, stage_hooks
from .mistakes import tell_config_mistake
from .stages.head import head_config, stage_of_checkpoint
from .stages.plan import StagePlan

Classifier = Literal['linear', 'ncm', 'adjusted']


def trained_model(
    config: str | Path | Config, checkpoint: str | Path, classifier: Classifier | None = None, tau: float | None = None
) -> Any:
    """Model in eval mode, on the CPU, with its config and what is known of its classes, as MMPretrain keeps them.

    Args:
        config: Of :func:`mmdrl.engine.config.load_config`, or what that takes.
        checkpoint: Path or address.
        classifier: ``'linear'``, the head's classifier as it was trained; ``'ncm'``, the nearest centroid; or
            ``'adjusted'``, the classifier less ``tau`` times the logarithm of the share of each class. Not given: as
            the config says.
        tau: For ``'adjusted'``; 1 if not given.

    Raises:
        MMDRLError: If config, checkpoint and rule do not fit each other.
    """
    cfg = load_config(str(config)) if isinstance(config, (str, Path)) else deepcopy(config)
    content = _content(checkpoint)
    cfg = _with_saved_head(cfg, content)
    model: Any = _built(cfg)
    check_belongs(content, model, str(checkpoint), losses=False)
    model.load_state_dict(content.get('state_dict', content), strict=False)
    model._config, model._metainfo = cfg, None
    model._dataset_meta = (content.get('meta') or {}).get('dataset_meta') or _named_classes(cfg)
    model.eval()
    set_rule(model, classifier, tau)
    return model


def config_of_checkpoint(config: str | Path | Config, checkpoint: str | Path) -> Config:
    """Config whose ``model.head`` is the one that a checkpoint was saved of, for MMPretrain's own functions.

    Args:
        config: As for :func:`trained_model`; stays as it is.
        checkpoint: Path or address.

    Raises:
        MMDRLError: If either cannot be read.
    """
    cfg = load_config(str(config)) if isinstance(config, (str, Path)) else deepcopy(config)
    return _with_saved_head(cfg, _content(checkpoint))


def set_rule(model: Any, classifier: Classifier | None, tau: float | None = None) -> None:
    """Let the head of a model predict by a rule.

    Args:
        model: With its weights.
        classifier: As for :func:`trained_model`.
        tau: Likewise.

    Raises:
        ConfigError: If there is no such rule, or the head does not know what it needs.
    """
    if classifier not in (None, *get_args(Classifier)):
        raise ConfigError(f'classifier must be one of {", ".join(get_args(Classifier))}, got {classifier!r}.')
    if tau is not None and classifier != 'adjusted':
        raise ConfigError(f"tau={tau} is for classifier='adjusted', got classifier={classifier!r}. Leave it out.")
    strength = 1.0 if tau is None else tau
    if not isinstance(strength, (int, float)) or not 0 <= strength < math.inf:
        raise ConfigError(f'tau must be a finite number and not negative, got {tau!r}.')
    head: Any = getattr(model, 'head', None)
    if classifier is not None:
        if not isinstance(head, DRHead):
            raise ConfigError(
                f'classifier={classifier!r} needs mmdrl.DRHead, which keeps centroids and class counts; the head of '
                f'this model is {type(head).__name__}. Leave classifier out.'
            )
        rule: Literal['classifier', 'ncm'] = 'ncm' if classifier == 'ncm' else 'classifier'
        adjustment = strength if classifier == 'adjusted' else 0.0
        head.predict_with, head.logit_adjustment = checked_settings(rule, adjustment)
    if isinstance(head, DRHead):
        scores(
            head, torch.zeros(1, head.in_channels, device=head.class_counts.device)
        )  # says at once what the rule lacks


def class_names(model: Any) -> list[str] | None:
    """Names of the classes that a model scores; ``None`` if it knows none, or another number of them."""
    names = list((getattr(model, '_dataset_meta', None) or {}).get('classes') or [])
    number = getattr(model.head, 'num_classes', None) or len(names)
    return names if names and len(names) == number else None


def _content(checkpoint: str | Path) -> dict[str, Any]:
    path = str(checkpoint)
    return read_checkpoint(path) or CheckpointLoader.load_checkpoint(path, map_location='cpu')


def _with_saved_head(cfg: Config, content: Mapping[str, Any]) -> Config:
    plan = _plan(cfg)
    index = None if plan is None else stage_of_checkpoint(plan, content)
    if plan is not None and index is not None and any(stage.head is not None for stage in plan.stages[: index + 1]):
        cfg = deepcopy(cfg)
        cfg.model.head = head_config(cfg, plan, index)
    return cfg


def _plan(cfg: Config) -> StagePlan | None:
    """The stages that a config writes down; ``None`` if it has none."""
    entries = [hook for hook in stage_hooks(cfg) if isinstance(hook, dict)]
    return StagePlan(entries[0]['stages']) if entries else None


def _built(cfg: Config) -> nn.Module:
    if not isinstance(cfg.get('model'), dict):
        raise ConfigError('The config names no model. Give model=dict(type=...), or inherit it with _base_.')
    config = deepcopy(cfg.model)
    config.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmpretrain'):
        try:
            model: Any = ALL_MODELS.build(config)
        except (KeyError, TypeError) as error:
            tell_config_mistake(error)
            raise
    if not hasattr(model, 'extract_feat') or getattr(model, 'head', None) is None:
        raise ConfigError(f'Expected an image classifier with a head, got {type(model).__name__}.')
    return model


def _named_classes(cfg: Config) -> dict[str, Any]:
    """What the config of the test set or its class says of the classes, without reading the data."""
    dataset = innermost_dataset(cfg, 'test_dataloader')
    kind = DATASETS.get(dataset['type']) if isinstance(dataset.get('type'), str) else dataset.get('type')
    given = dataset.get('classes') or (dataset.get('metainfo') or {}).get('classes')
    classes = given or getattr(kind, 'METAINFO', {}).get('classes')
    if isinstance(classes, str):  # MMPretrain takes a file with one name per line
        classes = list_from_file(classes) if Path(classes).is_file() else None
    return {} if classes is None else dict(classes=classes)
