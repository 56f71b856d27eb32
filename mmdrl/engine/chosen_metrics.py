"""Metrics that a run goes by: which checkpoint is the best, and when to stop early.

MMEngine names them without ``val/`` and tells from a few names, such as ``acc``, whether more or less is better.
"""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.runner import Runner

from mmdrl.errors import ConfigError
from mmdrl.evaluation import GroupedMetric
from mmdrl.evaluation.grouped_metric import Rule
from mmdrl.registry import HOOKS, METRICS

from .config import stage_hooks

_CHOICE = {'CheckpointHook': 'save_best', 'EarlyStoppingHook': 'monitor'}  # arguments that name a metric
_OURS = [dict(type=f'mmdrl.{name}') for name in ('ShotAccuracy', 'ClassAccuracy', 'Calibration')]
_OURS += [dict(entry, prefix='ncm') for entry in _OURS[:2]]


def settle_choices(cfg: Config) -> None:
    """Complete names and rules of the metrics in ``save_best``, ``monitor`` and a stage's ``load_best``, in place.

    ``val/few`` becomes ``few``, as MMEngine knows it, and metrics of this package get the rule that MMEngine cannot
    tell by their names: accuracies are the better the greater, errors and gaps the less.

    Raises:
        ConfigError: If a name is no metric of ``val_evaluator``, two metrics have the same name, or nothing tells the
            rule of one.
    """
    evaluator = cfg.get('val_evaluator')
    rules, is_all = _rules_of(evaluator)
    if not evaluator:  # the choice is never made, but its hook is built
        rules, is_all = _rules_of(_OURS)[0], False
    _settle_load_best(cfg, rules)
    for kind, hook in _choosing_hooks(cfg):
        key = _CHOICE[kind]
        names = [hook[key]] if isinstance(hook[key], str) else hook[key]
        if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
            continue  # MMEngine says so
        names = [_short(name, rules) for name in names]
        if 'auto' in names and rules:
            raise ConfigError(
                f"{key}='auto' would take the first metric, {next(iter(rules))!r}. Name the one that decides, such as "
                f"{key}='all'."
            )
        if is_all:
            for name in names:
                check_chosen(name, kind, list(rules))
        hook[key] = names[0] if isinstance(hook[key], str) else names
        if hook.get('rule') is None and names != ['auto'] and not (hook.get('greater_keys') or hook.get('less_keys')):
            found = [rules.get(name) or _rule_of_host(name, kind) for name in names]
            hook['rule'] = found[0] if isinstance(hook[key], str) else found


def _settle_load_best(cfg: Config, rules: dict[str, Rule]) -> None:
    """The same for stages; a plan that is none, or a metric of others, is left to the plan's own checks."""
    for hook in stage_hooks(cfg):
        stages = hook.get('stages') if isinstance(hook, dict) else None
        for stage in stages if isinstance(stages, (list, tuple)) else ():
            choice = stage.get('load_best') if isinstance(stage, dict) else None
            given = dict(metric=choice) if isinstance(choice, str) else choice
            if not isinstance(given, dict) or not isinstance(given.get('metric'), str):
                continue
            name = _short(given['metric'], rules)
            if name in rules and (name != given['metric'] or rules[name] == 'less'):
                stage['load_best'] = {'rule': rules[name], **given, 'metric': name}


def check_chosen(name: str, kind: str, names: list[str]) -> None:
    """Raise unless a metric that a hook chooses by is measured.

    Args:
        name: Of the metric.
        kind: Class of the hook.
        names: What is measured.

    Raises:
        ConfigError: If it is not.
    """
    if name not in names:
        raise ConfigError(
            f'{_CHOICE[kind]}={name!r} of {kind} names no metric that validation measures: {", ".join(names)}. Name '
            'one of these, or add a metric to val_evaluator.'
        )


def chosen_metrics(runner: Runner) -> list[tuple[str, str]]:
    """Names of the metrics that ``save_best`` and early stopping go by, each with the kind of its hook."""
    found = []
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            found += [(name, 'CheckpointHook') for name in hook.save_best or () if name != 'auto']
        elif isinstance(hook, EarlyStoppingHook):
            found.append((hook.monitor, 'EarlyStoppingHook'))
    return found


def _rules_of(evaluator: Any) -> tuple[dict[str, Rule], bool]:
    """Rules by name of this package's metrics in an evaluator's config, and whether it has no others."""
    if isinstance(evaluator, dict) and 'metrics' in evaluator:  # dict(type='Evaluator', metrics=[...])
        evaluator = evaluator['metrics']
    entries = list(evaluator) if isinstance(evaluator, (list, tuple)) else [evaluator]
    rules: dict[str, Rule] = {}
    is_all = True
    for entry in entries:
        kind = entry.get('type') if isinstance(entry, dict) else type(entry)
        kind = METRICS.get(kind) if isinstance(kind, str) else kind
        if not (isinstance(kind, type) and issubclass(kind, GroupedMetric)):
            is_all = False
            continue
        if not kind.__module__.startswith('mmdrl.'):
            is_all = False  # derived from ours, and may measure more
        prefix = entry.get('prefix') if isinstance(entry, dict) else entry.prefix
        found = {f'{prefix}/{name}' if prefix else name: rule for name, rule in kind.rules.items()}
        twice = sorted(rules.keys() & found)
        if twice:  # MMEngine says so too, after the first epochs of training
            raise ConfigError(
                f'Two metrics of val_evaluator are named {twice[0]!r}, one of them by {kind.__name__}. Tell them apart '
                "by a prefix, such as prefix='ncm'."
            )
        rules |= found
    return rules, is_all


def _choosing_hooks(cfg: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """Configs of hooks that choose by a metric, with the name of their class."""
    default, custom = cfg.get('default_hooks') or {}, cfg.get('custom_hooks') or []
    for hook in [*default.values(), *custom]:
        kind = hook.get('type') if isinstance(hook, dict) else None
        kind = HOOKS.get(kind) if isinstance(kind, str) else kind
        for name, base in (('CheckpointHook', CheckpointHook), ('EarlyStoppingHook', EarlyStoppingHook)):
            if isinstance(kind, type) and issubclass(kind, base) and hook.get(_CHOICE[name]):
                yield name, hook


def _short(name: str, rules: dict[str, Rule]) -> str:
    """The name as MMEngine has it, which is that of the backends without ``val/``."""
    return name if name in rules else name.removeprefix('val/')


def _rule_of_host(name: str, kind: str) -> str:
    """What MMEngine takes a name for."""
    try:
        if kind == 'EarlyStoppingHook':
            return str(EarlyStoppingHook(monitor=name).rule)
        return str(CheckpointHook(save_best=name).rules[0])
    except ValueError:
        raise ConfigError(
            f"{_CHOICE[kind]}={name!r} of {kind} does not say whether more or less is better. Add rule='greater' or "
            "rule='less'."
        ) from None
