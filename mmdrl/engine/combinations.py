"""Settings of MMEngine that do not go together with what mmdrl does, or with the machine: refused before a run begins.

Not named here are those that work: see the table in docs/howto/several_gpus.md.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import MODEL_WRAPPERS, RUNNERS
from mmengine.runner import Runner

from mmdrl.errors import ConfigError

from .augmented_once import check_augmented_once
from .config import stage_hooks

# Classes, and with them those derived from them; any other wrapper of a project's own is its business.
_WRAPPERS_THAT_DIVIDE = {
    'ColossalAIModelWrapper',
    'DataParallel',
    'FullyShardedDataParallel',
    'MMDeepSpeedEngineWrapper',
    'MMSeparateDistributedDataParallel',
}
_OPTIM_WRAPPERS_OF_STRATEGIES = ('DeepSpeedOptimWrapper', 'ColossalAIOptimWrapper')


def check_runner(cfg: Config) -> None:
    """The model must be whole and there when hooks look at it, which not every runner and wrapper grants.

    Args:
        cfg: Config of any run.

    Raises:
        ConfigError: If runner, strategy or wrapper are none that mmdrl can work with.
    """
    kind = _find(RUNNERS, cfg.get('runner_type'))
    if isinstance(kind, type) and not issubclass(kind, Runner):
        raise ConfigError(
            f'runner_type={kind.__name__!r} builds and wraps the model when training begins, but mmdrl checks it '
            'before that and changes parts of it from stage to stage. So its strategies (DDP, FSDP, DeepSpeed, '
            'ColossalAI) cannot be used. Leave runner_type and strategy out: --gpus N trains with '
            'DistributedDataParallel.'
        )
    if cfg.get('strategy') is not None:
        raise ConfigError(
            'Nothing reads strategy=...: it is for a FlexibleRunner, which mmdrl cannot work with. Leave it out: '
            '--gpus N trains with DistributedDataParallel.'
        )
    wrapper = _find(MODEL_WRAPPERS, (cfg.get('model_wrapper_cfg') or {}).get('type'))
    if isinstance(wrapper, type) and not _WRAPPERS_THAT_DIVIDE.isdisjoint(kind.__name__ for kind in wrapper.__mro__):
        raise ConfigError(
            f'model_wrapper_cfg wraps the model by {wrapper.__name__}, which takes it to pieces: '
            'mmdrl freezes, resets, replaces and saves parts of it by their names. Use '
            "model_wrapper_cfg=dict(type='MMDistributedDataParallel'), or leave it out."
        )


def check_training(cfg: Config) -> None:
    """Optimiser and batch normalisation must be able to train on this machine.

    Args:
        cfg: Config of a run that trains.

    Raises:
        ConfigError: If they need a GPU or a package that is not there, or images are augmented twice.
    """
    check_augmented_once(cfg)
    is_cpu = get_device() == 'cpu'
    for place, config in _optim_wrappers(cfg):
        name = _name(config.get('type'))
        if name == 'AmpOptimWrapper' and is_cpu:
            raise ConfigError(
                f"{place}.type='AmpOptimWrapper' (mixed precision) needs a GPU, and this run is on the CPU. Train in "
                f'single precision: {place}.type=OptimWrapper, without dtype and loss_scale.'
            )
        if name == 'ApexOptimWrapper' and find_spec('apex') is None:
            raise ConfigError(
                f"{place}.type='ApexOptimWrapper' needs the package apex, which is not installed. Use "
                "'AmpOptimWrapper', which torch itself can do."
            )
        if name in _OPTIM_WRAPPERS_OF_STRATEGIES:
            raise ConfigError(
                f'{place}.type={name!r} is for a strategy of FlexibleRunner, which mmdrl cannot work with. Use '
                "'OptimWrapper' or 'AmpOptimWrapper'."
            )
    if is_cpu and cfg.get('launcher', 'none') != 'none' and (cfg.get('sync_bn') or _has_sync_bn(cfg.get('model'))):
        raise ConfigError(
            'Batch statistics of all processes together (sync_bn, SyncBN) are computed on GPUs only, and these '
            'processes are on the CPU. Leave sync_bn out and use BN: SyncBuffersHook takes the mean of running '
            'statistics after every epoch.'
        )


def _find(registry: Any, kind: Any) -> Any:
    """The class of a name, or what is given in its place; None where nothing or an unknown name is."""
    return registry.get(kind) if isinstance(kind, str) else kind


def _name(kind: Any) -> str:
    return kind.rpartition('.')[2] if isinstance(kind, str) else getattr(kind, '__name__', '')


def _optim_wrappers(cfg: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    """That of the config and those of stages, with the keys that lead there."""
    found = [('optim_wrapper', cfg.get('optim_wrapper'))]
    for hook in stage_hooks(cfg):
        stages = hook.get('stages') if isinstance(hook, dict) else None
        for index, stage in enumerate(stages if isinstance(stages, (list, tuple)) else ()):
            own = stage.get('optim_wrapper') if isinstance(stage, dict) else None
            found.append((f'default_hooks.stages.stages.{index}.optim_wrapper', own))
    yield from ((place, config) for place, config in found if isinstance(config, dict))


def _has_sync_bn(config: Any) -> bool:
    if isinstance(config, dict):
        return _name(config.get('type')) in ('SyncBN', 'MMSyncBN') or any(map(_has_sync_bn, config.values()))
    return isinstance(config, (list, tuple)) and any(map(_has_sync_bn, config))
