"""How a config groups the classes."""

from typing import Any

from mmengine.config import Config

from mmdrl.evaluation import ShotAccuracy
from mmdrl.registry import METRICS


def shot_settings(cfg: Config) -> tuple[dict[str, Any], Any]:
    """How the config's ``ShotAccuracy`` groups the classes, and its own class counts if it has them.

    Returns:
        ``many``, ``few`` and ``edges``, those of ``ShotAccuracy`` by default; and counts, shape ``(K,)``, or ``None``.

    Raises:
        ConfigError: If its arguments do not fit.
    """
    evaluators = [cfg.get(name) or [] for name in ('val_evaluator', 'test_evaluator')]
    entries = [entry for part in evaluators for entry in (part if isinstance(part, (list, tuple)) else [part])]
    shots = [entry for entry in entries if _is_shot_accuracy(entry.get('type'))]
    linear = [entry for entry in shots if entry.get('classifier', 'linear') == 'linear']
    metric = METRICS.build(dict([*linear, *shots, dict(type='mmdrl.ShotAccuracy')][0]))
    assert isinstance(metric, ShotAccuracy)
    return dict(many=metric.many, few=metric.few, edges=metric.edges), metric.class_counts


def _is_shot_accuracy(kind: Any) -> bool:
    return kind is ShotAccuracy or str(kind).rpartition('.')[2] == 'ShotAccuracy'
