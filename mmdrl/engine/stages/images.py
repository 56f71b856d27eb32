"""The training images of a stage: their order, their transforms, and whether they are mixed."""

from typing import Any

from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmdrl.engine.dataset_copies import build_pipeline, copied, is_innermost
from mmdrl.engine.processes import check_whole_blocks
from mmdrl.errors import ConfigError

from .plan import StagePlan
from .stage import Stage


def stage_loader(runner: Runner, plan: StagePlan, index: int) -> DataLoader:
    """Loader of a stage: the run's own, or one with another sampler or other transforms over the same annotations.

    Raises:
        ConfigError: If the run's loader is no config, the sampler does not fit, or there are no transforms to replace.
    """
    loader, stage = runner.train_loop.dataloader, plan[index]
    dataset = _as_shown(loader.dataset, stage)
    if stage.sampler is None and dataset is loader.dataset:
        return loader
    config = runner._train_dataloader
    if not isinstance(config, dict):
        raise ConfigError(
            f'Stage {stage.name!r} has a sampler or a pipeline of its own, which needs train_dataloader as a config, '
            f'got a {type(config).__name__}.'
        )
    config = {k: v for k, v in config.items() if k not in ('dataset', 'num_batch_per_epoch')}
    config['sampler'] = plan.sampler_at(index) or config.get('sampler')
    try:
        loader = runner.build_dataloader(
            dict(config, dataset=Shared(dataset)),
            seed=runner.seed,
            diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False),
        )
    except (KeyError, TypeError) as error:
        raise ConfigError(f'Stage {stage.name!r}: the sampler does not fit: {error}') from error
    check_whole_blocks(loader)
    return loader


def mixing_parts(model: nn.Module, dataset: Any) -> list[str]:
    """Names of what mixes images: batch augmentations of the data preprocessor, and data sets."""
    names: list[str] = []
    copied(dataset, lambda part: names.append(type(part).__name__) if getattr(part, 'is_mixing', False) else None)
    preprocessor = getattr(model, 'data_preprocessor', None)
    augments = getattr(preprocessor, 'batch_augments', None)
    if augments is not None:
        parts = getattr(augments, 'augments', None) or [preprocessor]
        names += [type(part).__name__ for part in parts]
    return names


def wants_scores(cfg: Any) -> bool:
    """Whether a config asks for labels as scores, mixed or not."""
    preprocessor = (cfg.get('model') or {}).get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    return bool(preprocessor.get('to_onehot', False))


class BatchMixing:
    """Switches what the data preprocessor of a model mixes off and on again.

    Args:
        model: Not wrapped; its preprocessor as the config has it.
        wants_scores: Whether the config asks for labels as scores, mixed or not.
    """

    def __init__(self, model: nn.Module, wants_scores: bool):
        self._preprocessor: Any = getattr(model, 'data_preprocessor', None)
        self._augments = getattr(self._preprocessor, 'batch_augments', None)
        self._wants_scores = wants_scores

    def switch(self, is_on: bool) -> None:
        """Mix, or do not and hand labels over as labels."""
        if self._augments is not None:
            self._preprocessor.batch_augments = self._augments if is_on else None
            self._preprocessor.to_onehot = is_on or self._wants_scores


def _as_shown(dataset: Any, stage: Stage) -> Any:
    """The data set with the stage's transforms; the very same if it has none."""
    if stage.pipeline is None and stage.mixing:
        return dataset
    pipeline = None if stage.pipeline is None else build_pipeline(stage.pipeline, f'Stage {stage.name!r}')
    changed: list[Any] = []

    def change(part: Any) -> None:
        if not stage.mixing and hasattr(part, 'is_mixing'):
            part.is_mixing = False
            changed.append(part)
        if pipeline is not None and is_innermost(part):
            if not hasattr(part, 'pipeline'):
                raise ConfigError(
                    f'Stage {stage.name!r} has a pipeline, but {type(part).__name__} has none that could be replaced.'
                )
            part.pipeline = pipeline
            changed.append(part)

    twin = copied(dataset, change)
    return twin if changed else dataset


class Shared:
    """Survives the deep copy that ``build_dataloader`` makes of its config: the copy is the very data set."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def __deepcopy__(self, memo: dict[int, Any]) -> Dataset:
        return self.dataset
