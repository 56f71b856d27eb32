"""Where the steps of :class:`BatchAugmentation` are registered.

MMEngine has no registry of this kind, so this one has no root, and MMEngine would warn that it finds none for the scope
of a config that is inherited through ``mmdrl::``. ``build_step`` therefore looks a name up itself.
"""

from typing import Any

from mmengine.registry import Registry

from mmdrl.errors import ConfigError

BATCH_TRANSFORMS = Registry('batch transform', scope='mmdrl', locations=['mmdrl.models'])


def build_step(config: dict[str, Any]) -> Any:
    """The step that a dict describes, ``dict(type='mmdrl.BatchFlip', prob=0.5)`` for one.

    Raises:
        ConfigError: If it is no such dict, its type is unknown, or the step does not take its settings.
    """
    if callable(config) and not isinstance(config, type):
        return config
    if not isinstance(config, dict) or 'type' not in config:
        raise ConfigError(f"An augmentation of batches must be a dict(type='mmdrl.BatchFlip', ...), got {config!r}.")
    settings = {key: value for key, value in config.items() if key not in ('type', '_scope_')}
    kind = config['type']
    step = BATCH_TRANSFORMS.get(kind.removeprefix('mmdrl.')) if isinstance(kind, str) else kind
    if not isinstance(step, type):
        names = ', '.join(f'mmdrl.{name}' for name in sorted(BATCH_TRANSFORMS.module_dict))
        raise ConfigError(
            f'{kind!r} is no augmentation of batches. There are {names}. A transform of single images belongs into '
            'the pipeline of the data set.'
        )
    try:
        return step(**settings)
    except TypeError as error:
        raise ConfigError(f'{step.__name__}: {error}') from None
