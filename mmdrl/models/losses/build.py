"""Building a classification loss for a known number of classes."""

from inspect import signature
from typing import Any

from torch import nn

from mmdrl.errors import ConfigError
from mmdrl.registry import MODELS


def build_loss(config: dict[str, Any], num_classes: int | None, owner: str = 'DRHead') -> nn.Module:
    """The loss, told the number of classes if it takes that and its config does not say.

    Args:
        config: Of a registered loss.
        num_classes: K; ``None`` if the head does not know it, and the config has to say it.
        owner: Who builds it, for messages.

    Raises:
        ConfigError: If there is no such loss, it takes other arguments, or it is for another number of classes.
    """
    if not isinstance(config, dict) or 'type' not in config:
        raise ConfigError(f"{owner}: loss must be a dict with a type, such as 'CrossEntropyLoss', got {config!r}.")
    named = config['type']
    kind = MODELS.get(named) if isinstance(named, str) else named
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise ConfigError(f'{owner}: loss must name a registered loss, such as CrossEntropyLoss, got type={named!r}.')
    if num_classes is not None and 'num_classes' in signature(kind).parameters:
        if config.get('num_classes') is None:
            config = {**config, 'num_classes': num_classes}
        if config['num_classes'] != num_classes:
            raise ConfigError(
                f'{owner}: loss says num_classes={config["num_classes"]}, expected {num_classes}. Leave it out: '
                f'{owner} fills it in.'
            )
    try:
        loss: nn.Module = MODELS.build(config)
    except ConfigError:
        raise
    except (TypeError, ValueError, AssertionError) as error:  # how MMPretrain's losses answer to a bad argument
        raise ConfigError(f'{owner}: loss {kind.__name__} cannot be built: {error}') from error
    return loss
