"""The training set as an exact pass wants it: every image once, in a fixed order, without augmentation."""

from typing import Any

import torch
from mmengine.dataset import DefaultSampler
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Subset

from mmdrl.datasets.columns import ColumnDataset
from mmdrl.datasets.same_images import distinct_images
from mmdrl.datasets.wrappers import whole_dataset
from mmdrl.errors import ConfigError

from .dataset_copies import build_pipeline, copied, is_innermost

REMEDY = (
    "Give the transforms that load an image without augmenting it: centroids=dict(type='mmdrl.CentroidHook', "
    'pipeline=[...]).'
)


def clean_loader(runner: Runner, pipeline: list[dict[str, Any]] | None) -> DataLoader:
    """Loader of the training set in batches of the training loader's size, this process's share of it.

    Args:
        runner: A runner that is about to train. Its data set stays as it is.
        pipeline: Transforms in place of the training ones; those of the validation set if not given.

    Raises:
        ConfigError: If there is no pipeline to take, or the data set has none to replace.
    """
    live = runner.train_dataloader
    dataset = with_pipeline(live.dataset, _pipeline(runner, pipeline))
    sampler = DefaultSampler(dataset, shuffle=False, round_up=False, seed=0)
    # An iterator draws a number, which must not come from the training's generator.
    return _loader(dataset, live, sampler=sampler, generator=torch.Generator())


def loader_like(held_out: Any, dataset: Any) -> DataLoader:
    """Loader of every distinct image of a data set, with the transforms of held-out images and in such batches.

    Args:
        held_out: Loader of the held-out images.
        dataset: Such as the training set. It stays as it is.

    Raises:
        ConfigError: If the held-out images have no transforms, or the data set none to replace.
    """
    pipeline = pipeline_of(held_out.dataset)
    if pipeline is None:
        raise ConfigError('The held-out data set has no pipeline that could load training images.')
    return _loader(with_pipeline(dataset, pipeline), held_out)


def with_pipeline(dataset: Any, pipeline: Any) -> Any:
    """The data set with every image once, from its first place, and another pipeline; the original is unchanged.

    Annotations are shared. Looks through whatever keeps what it wraps as ``.dataset`` or, as ConcatDataset does,
    ``.datasets``. If the pipeline gives nothing for an image, such as a broken one, the next of its class stands in for
    it in a :class:`~mmdrl.datasets.columns.ColumnDataset`; any other copy raises instead of drawing one at random.

    Raises:
        ConfigError: If a data set in there has no pipeline.
    """
    dataset = whole_dataset(dataset)

    def change(part: Any) -> None:
        if hasattr(part, 'is_mixing'):
            part.is_mixing = False
        if not is_innermost(part):
            return
        if not hasattr(part, 'pipeline'):
            raise ConfigError(
                f"Centroids of mode 'epoch' need a training set with a pipeline that can be replaced, got a "
                f"{type(part).__name__} without one. Use mode 'running' or 'ema'."
            )
        part.pipeline = pipeline
        part.test_mode = not isinstance(part, ColumnDataset)

    twin = copied(dataset, change)
    images = distinct_images(dataset)
    return twin if len(images) == len(dataset) else Subset(twin, images.tolist())


def _loader(dataset: Any, like: Any, **settings: Any) -> DataLoader:
    return DataLoader(
        dataset,
        batch_size=like.batch_size or like.batch_sampler.batch_size,
        num_workers=like.num_workers,
        collate_fn=like.collate_fn,
        pin_memory=like.pin_memory,
        worker_init_fn=like.worker_init_fn,
        **settings,
    )


def _pipeline(runner: Runner, pipeline: list[dict[str, Any]] | None) -> Any:
    if pipeline is not None:
        return build_pipeline(pipeline, 'CentroidHook')
    pipeline = None if runner.val_loop is None else pipeline_of(runner.val_dataloader.dataset)
    if pipeline is None:
        raise ConfigError(
            "Centroids of mode 'epoch' are made with the pipeline of the validation set, but there is no validation "
            f'set that has one. {REMEDY}'
        )
    return pipeline


def pipeline_of(dataset: Any) -> Any:
    """The transforms of the first data set behind the wrappers, ``None`` if it has none."""
    while dataset is not None and not hasattr(dataset, 'pipeline'):
        parts = getattr(dataset, 'datasets', None)
        dataset = parts[0] if parts else getattr(dataset, 'dataset', None)
    return None if dataset is None else dataset.pipeline
