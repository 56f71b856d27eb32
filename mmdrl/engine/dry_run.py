"""A runner that is set up as for training and never trains.

Everything is built and checked by the code that training uses, so that a mistake ends in the same sentence. But there
is no work folder, no log and no GPU; data that are missing are stood in for, and any number of processes is reckoned
with.
"""

import inspect
from collections.abc import Iterator, Sized
from copy import copy, deepcopy
from typing import Any

from mmengine.config import Config
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, Sampler

from mmdrl.datasets.wrappers import read
from mmdrl.errors import DataError
from mmdrl.registry import DATASETS

from .config import LOADERS
from .dataset_copies import build_pipeline
from .hooks import CentroidHook, ClassCountsHook, TwoStageHook
from .hooks.companions import check_companions
from .preflight import check_data_paths, wrapped_datasets
from .processes import check_whole_blocks
from .stages.images import Shared
from .unread import UnreadDataset

# How data sets of mmdrl, MMPretrain and torchvision say that their files are not there.
_UNREAD = (DataError, OSError, RuntimeError, AssertionError)


class DryRunner(Runner):
    """Set up by :meth:`set_up` in place of ``train``.

    Attributes:
        processes: How many share the batches.
        unread: Why data sets were not read, by loader.
    """

    processes = 1
    optim_wrapper: Any
    param_schedulers: Any
    _train_loop: Any
    _val_loop: Any

    def __init__(self, *args: Any, **settings: Any):
        self.unread: dict[str, str] = {}
        super().__init__(*args, **settings)

    @classmethod
    def quiet_config(cls, cfg: Config, folder: str) -> Config:
        """The config for a runner that leaves nothing behind outside a folder, and loads nothing.

        Args:
            cfg: Of the run; stays as it is.
            folder: Temporary, with a name of its own.
        """
        quiet = deepcopy(cfg)
        quiet.work_dir = quiet.experiment_name = folder  # MMEngine keeps loggers by name
        quiet.launcher, quiet.log_level = 'none', 'ERROR'
        quiet.visualizer = dict(type='mmengine.Visualizer', vis_backends=[])
        quiet.model_wrapper_cfg = quiet.load_from = None
        quiet.resume = False
        return quiet

    def set_up(self) -> None:
        """What ``train`` does before it loads weights: loops, optimiser, schedule, and the checks of our hooks.

        Raises:
            MMDRLError: If config and data do not fit.
        """
        self._world_size = self.processes
        self._train_loop = self.build_train_loop(self._train_loop)
        self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
        self.scale_lr(self.optim_wrapper, self.auto_scale_lr)
        if self.param_schedulers is not None:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
        if self._val_loop is not None:
            self._val_loop = self.build_val_loop(self._val_loop)
        check_companions(self)
        for hook in self.hooks:
            if isinstance(hook, TwoStageHook):
                hook.before_run(self)
        for hook in self.hooks:
            if isinstance(hook, (ClassCountsHook, CentroidHook)):
                hook.before_train(self)

    def build_dataloader(self, dataloader: Any, seed: int | None = None, diff_rank_seed: bool = False) -> DataLoader:
        """A loader whose length is that of the loader of one of the processes."""
        config = dict(dataloader)
        if isinstance(config.get('dataset'), dict):
            config['dataset'] = Shared(self._dataset(config['dataset']))
        if config.get('num_batch_per_epoch'):
            config['num_batch_per_epoch'] *= self.processes
        loader = super().build_dataloader(config, seed, diff_rank_seed)
        check_whole_blocks(loader, self.processes)
        if self.processes == 1:
            return loader
        if loader.batch_size is None:
            return DataLoader(loader.dataset, batch_sampler=_Share(loader.batch_sampler, self.processes))
        sampler = _Share(loader.sampler, self.processes)
        collate = loader.collate_fn
        return DataLoader(
            loader.dataset, loader.batch_size, False, sampler, drop_last=loader.drop_last, collate_fn=collate
        )

    def build_optim_wrapper(self, optim_wrapper: Any) -> OptimWrapper:
        """An optimiser as the config has it, whose first group has the base learning rate and is the only one."""
        kind = getattr(optim_wrapper.get('type'), '__name__', str(optim_wrapper.get('type')))
        if kind.endswith('AmpOptimWrapper'):  # which wants a GPU
            half = ('loss_scale', 'dtype', 'use_fsdp')
            optim_wrapper = {key: value for key, value in optim_wrapper.items() if key not in half}
            optim_wrapper = Config(dict(optim_wrapper, type='OptimWrapper'))._cfg_dict
        wrapper = super().build_optim_wrapper(optim_wrapper)
        if not isinstance(wrapper, OptimWrapperDict):
            groups = wrapper.optimizer.param_groups
            groups[0]['lr'] = wrapper.optimizer.defaults['lr']
            del groups[1:]  # or a schedule by iterations would take minutes to look through
        return wrapper

    def wrap_model(self, model_wrapper_cfg: Any, model: nn.Module) -> nn.Module:
        """The model, not moved to a GPU."""
        return model

    def dump_config(self) -> None:
        """Nothing."""

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        """Nothing: it takes seconds to look the machine through."""

    def _dataset(self, config: dict[str, Any]) -> Any:
        """The data set, or what stands in for it."""
        loaders = [name for name in LOADERS if (self.cfg.get(name) or {}).get('dataset') == config]
        name = loaders[0] if loaders else LOADERS[0]
        parts = [part for _, part in wrapped_datasets(config, '')]
        try:
            return _read(config, name)
        except _UNREAD as error:
            if all(_can_be_read(part, name) for part in parts if not {'dataset', 'datasets'} & set(part)):
                raise  # what wraps the data is wrong, not the data
            self.unread[name] = str(error) or repr(error)
        steps: list[Any] = next((part['pipeline'] for part in parts if isinstance(part.get('pipeline'), list)), [])
        num_classes = getattr(getattr(self.model, 'head', None), 'num_classes', None) or 1
        is_mixing = any(str(part.get('type')).endswith('BalancedMixup') for part in parts)
        return UnreadDataset(num_classes, build_pipeline(steps, f'{name}.dataset'), is_mixing)


class _Share(Sampler[Any]):
    """Tells the length of the share of one process."""

    def __init__(self, sampler: Sized, processes: int):
        self.sampler = sampler
        self.processes = processes

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.processes)

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError('A dry run loads nothing.')


def _read(config: dict[str, Any], loader: str) -> Any:
    """The data set of a loader."""
    check_data_paths({loader: dict(dataset=config)}, (loader,))
    return read(DATASETS.build(_without_download(config)))


def _can_be_read(config: dict[str, Any], loader: str) -> bool:
    try:
        _read(config, loader)
    except _UNREAD:
        return False
    return True


def _without_download(config: dict[str, Any]) -> dict[str, Any]:
    """The config of a data set that fetches nothing."""
    changed = copy(config)
    kind = config.get('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    if kind is not None and 'download' in inspect.signature(kind).parameters:
        changed['download'] = False
    if isinstance(config.get('dataset'), dict):
        changed['dataset'] = _without_download(config['dataset'])
    if isinstance(config.get('datasets'), list):
        changed['datasets'] = [_without_download(part) for part in config['datasets']]
    return changed
