"""Building the classifier of a head from a config that leaves out what the head knows."""

from typing import Any

from torch import nn

from mmdrl.errors import ConfigError
from mmdrl.registry import MODELS


def build_classifier(config: dict[str, Any], in_channels: int, num_classes: int) -> nn.Module:
    """Module from features ``(B, D)`` to scores ``(B, K)``.

    Args:
        config: Such as ``dict(type='mmdrl.CosineClassifier')``; ``in_features`` and ``out_features`` are filled in.
        in_channels: D.
        num_classes: K.

    Raises:
        ConfigError: If it names no module, an argument does not fit, or it gives other sizes than the head's.
    """
    if not isinstance(config, dict) or 'type' not in config:
        raise ConfigError(
            "DRHead: classifier must be a dict with a type, such as dict(type='mmdrl.CosineClassifier'), got "
            f'{config!r}.'
        )
    named = config['type']
    kind = MODELS.get(named) if isinstance(named, str) else named
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise ConfigError(
            f'DRHead: classifier must name a registered module, such as mmdrl.CosineClassifier, got type={named!r}.'
        )
    sizes = dict(in_features=in_channels, out_features=num_classes)
    for (key, size), name in zip(sizes.items(), ('in_channels', 'num_classes'), strict=True):
        if config.get(key, size) != size:
            raise ConfigError(
                f'DRHead: classifier says {key}={config[key]}, but {name} of the head is {size}. Leave {key} out: the '
                'head fills it in.'
            )
    try:
        classifier: nn.Module = MODELS.build({**sizes, **config})
    except TypeError as error:  # how Python answers to an argument that does not exist
        raise ConfigError(f'DRHead: classifier {kind.__name__} cannot be built: {error}') from error
    return classifier
