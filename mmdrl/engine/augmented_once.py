"""Images augmented twice, in the pipeline of the data set and as whole batches, or not at all: mistakes of inheritance.

A config that names a pipeline of its own and inherits the ``augments`` of a data preprocessor would crop and flip
every image twice; one that gives the model a preprocessor of its own would lose them. Nobody would notice either.
"""

from typing import Any

from mmengine.config import Config

from mmdrl.errors import ConfigError

from .config import stage_hooks
from .preflight import wrapped_datasets

_SAME = {
    'BatchCrop': ('RandomCrop',),
    'BatchFlip': ('RandomFlip',),
    'BatchAutoAugment': ('AutoAugmentPolicy', 'AutoAugment'),
    'BatchRandAugment': ('RandAugment',),
    'BatchCutout': ('SquareCutout', 'Cutout'),
    'BatchErasing': ('RandomErasing',),
}


def check_augmented_once(cfg: Config) -> None:
    """No stage may do to whole batches what its transforms have done to each image, nor may ``augments`` be lost.

    Args:
        cfg: Config of a run that trains.

    Raises:
        ConfigError: If one does.
    """
    own, shared = (cfg.get('model') or {}).get('data_preprocessor'), cfg.get('data_preprocessor')
    if isinstance(own, dict) and 'augments' not in own and isinstance(shared, dict) and shared.get('augments'):
        raise ConfigError(
            'model.data_preprocessor takes the place of data_preprocessor, whose augments nothing would read. Give '
            'what it changes as data_preprocessor=dict(...) beside the model, or augments=None in it to go without.'
        )
    pipeline, augments = training_pipeline(cfg), batch_augments(cfg)
    plans = [hook.get('stages') for hook in stage_hooks(cfg) if isinstance(hook, dict)]
    stages = [stage for plan in plans if isinstance(plan, (list, tuple)) for stage in plan if isinstance(stage, dict)]
    for stage in stages or [{}]:
        transforms = pipeline if stage.get('pipeline') is None else stage['pipeline']
        steps = augments if stage.get('augments') is None else stage['augments']
        names = {_name(transform) for transform in transforms or ()}
        for step in map(_name, steps or ()):
            twice = names.intersection(_SAME.get(step, ()))
            if twice:
                where = f'Stage {stage.get("name")!r}' if stages else 'The run'
                raise ConfigError(
                    f'{where} augments every image twice alike: by {min(twice)} in the pipeline of the training set, '
                    f'and by {step} in data_preprocessor.augments. Give data_preprocessor=dict(augments=None) to '
                    f'augment in the pipeline{" (or augments=[] to the stage)" * bool(stages)}, or leave '
                    f'{min(twice)} out of it.'
                )


def batch_augments(cfg: Config) -> Any:
    """Steps of the data preprocessor, as the config has them; ``None`` if there are none."""
    preprocessor = (cfg.get('model') or {}).get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    return preprocessor.get('augments') if isinstance(preprocessor, dict) else None


def training_pipeline(cfg: Config) -> list[Any] | None:
    """Transforms of the training set, those of the outermost data set that names any; ``None`` if none does."""
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    parts = wrapped_datasets(dataset, '') if isinstance(dataset, dict) else ()
    return next((part['pipeline'] for _, part in parts if isinstance(part.get('pipeline'), list)), None)


def _name(step: Any) -> str:
    kind = step.get('type') if isinstance(step, dict) else type(step)
    return kind.rpartition('.')[2] if isinstance(kind, str) else getattr(kind, '__name__', '')
