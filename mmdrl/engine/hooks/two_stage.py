"""Training in stages: one run, one log, one checkpoint series.

A stage may change the sampler, the weights of the losses, what is frozen, what is initialised anew and the
learning-rate schedule. Everything is built and checked before training begins; at a boundary it is only
swapped in. A checkpoint remembers its stage, and resuming restores that stage's set-up first.
"""

from copy import deepcopy
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmdrl.engine.loops.order import order_seed, set_order_seeds
from mmdrl.engine.model_parts import initialise_anew, matching_modules, unwrap
from mmdrl.engine.processes import check_whole_blocks
from mmdrl.engine.stage_fit import check_stage, loss_scales
from mmdrl.engine.stage_plan import Stage, StagePlan
from mmdrl.errors import ConfigError
from mmdrl.models import DRHead
from mmdrl.registry import HOOKS

from .companions import check_companions


@HOOKS.register_module()
class TwoStageHook(Hook):
    """Runs the stages of a plan one after the other; two or more, in spite of its name.

    Args:
        stages: One dict per stage, see :class:`mmdrl.engine.stage_plan.Stage`. Their epochs must add up to
            ``train_cfg.max_epochs``.

    Raises:
        ConfigError: Before training, if the plan does not fit the run: its length, a pattern that matches
            nothing, an unknown loss; on resuming, if the checkpoint was trained with other stages.
    """

    priority = 'ABOVE_NORMAL'  # before the sampler learns the epoch

    def __init__(self, stages: list[dict[str, Any]]):
        self.plan = StagePlan(stages)
        self.current = -1

    def before_run(self, runner: Runner) -> None:
        """Check the plan against the run and build every stage's loader."""
        if not isinstance(runner._train_loop, BaseLoop):
            return  # a test or validation run
        loop = runner.train_loop
        self.plan.check_fits(loop.max_epochs if isinstance(loop, EpochBasedTrainLoop) else None)
        check_companions(runner)
        model = unwrap(runner.model)
        for stage in self.plan.stages:
            check_stage(model, stage)
        if not hasattr(runner.optim_wrapper, 'optimizer'):
            raise ConfigError('TwoStageHook needs one optimizer, got several (an OptimWrapperDict).')
        self._is_learned = {name: p.requires_grad for name, p in model.named_parameters()}
        self._base_lr = [group.get('initial_lr', group['lr']) for group in _param_groups(runner)]
        loaders = [self._build_loader(runner, index) for index in range(len(self.plan))]
        self._loaders: list[DataLoader | None] = [*loaders]
        self._seeds = [order_seed(loader) for loader in loaders]
        pairs = zip(self.plan.stages, loaders, strict=True)
        loop.epoch_lengths = [len(loader) for stage, loader in pairs for _ in range(stage.epochs)]
        loop._max_iters = sum(loop.epoch_lengths)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """On resuming, restore the set-up of the checkpoint's stage, so that its states fit."""
        if not runner._resume or not hasattr(self, '_loaders'):
            return
        saved: Any = checkpoint.get('stages')
        current = self.plan.find_stage(saved)
        if 'seeds' in saved:  # not in those of earlier versions
            set_order_seeds(self._loaders, saved['seeds'])
            self._seeds = saved['seeds']
        self._set_up(runner, current)
        for stage in reversed(self.plan.stages[: self.current + 1]):
            if stage.has_own_schedule:
                self._start_schedule(runner, stage)
                break
        runner.logger.info(f'Resumed in stage {self._describe(self.current)}.')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep stage and plan in the checkpoint."""
        checkpoint['stages'] = dict(current=self.current, plan=self.plan.outline(), seeds=self._seeds)

    def before_train_epoch(self, runner: Runner) -> None:
        """Enter the stage to which the epoch belongs."""
        self._is_model_set = False
        index = self.plan.index_at(runner.epoch)
        if index == self.current:
            return
        self._set_up(runner, index)
        stage, model, optimizer = self.plan[index], unwrap(runner.model), runner.optim_wrapper.optimizer
        runner.optim_wrapper.zero_grad()  # of an accumulation that the stage before has not finished
        for pattern in stage.reset:
            for module in matching_modules(model, pattern, stage.name):
                initialise_anew(module)
                for parameter in module.parameters():
                    optimizer.state.pop(parameter, None)
        if stage.has_own_schedule:
            optimizer.state.clear()
            self._start_schedule(runner, stage)
        for key in [key for key in runner.message_hub.log_scalars if key.startswith('train/')]:
            del runner.message_hub.log_scalars[key]  # or the log would go on naming losses that have stopped
        learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
        runner.logger.info(
            f'Stage {self._describe(index)}: {len(runner.train_dataloader)} iterations each, '
            f'{learned / 1e6:.3g} M parameters learn, lr {_param_groups(runner)[0]["lr"]:.3g}.'
        )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep frozen parts in eval mode: the loop calls ``model.train()`` after every epoch's start."""
        if not self._is_model_set:
            for module in self._frozen:
                module.eval()
            self._is_model_set = True

    def _describe(self, index: int) -> str:
        first, last = self.plan.begin(index) + 1, self.plan.begin(index + 1)
        return f'{index + 1} of {len(self.plan)}, {self.plan[index].name!r}, epochs {first} to {last}'

    def _set_up(self, runner: Runner, index: int) -> None:
        """All that a stage changes except weights and optimiser state."""
        stage, model, loop = self.plan[index], unwrap(runner.model), runner.train_loop
        loop.dataloader = self._loaders[index]
        self._loaders[:index] = [None] * index  # lets the workers of past stages go
        learned_before = _learned(model)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(self._is_learned[name])
        for pattern in stage.freeze:
            for module in matching_modules(model, pattern, stage.name):
                module.requires_grad_(False)
        for head, scale in loss_scales(model, stage):
            head.loss_scale = scale
            if isinstance(head, DRHead) and scale['loss_dr'] == 0:
                # Learned radii and projections have no gradient then, and DDP would wait for one.
                head.dr_layers.requires_grad_(False)
        if is_model_wrapper(runner.model) and _learned(model) != learned_before:
            # DDP settles at construction whose gradients it waits for.
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
            runner._maybe_compile('train_step')
        # After wrapping, which replaces the layers that it converts to SyncBN.
        self._frozen = [
            module for pattern in stage.freeze for module in matching_modules(unwrap(runner.model), pattern, stage.name)
        ]
        runner.message_hub.update_info('stage', stage.name)
        self.current = index

    def _start_schedule(self, runner: Runner, stage: Stage) -> None:
        factor = 1.0 if stage.lr is None else stage.lr / runner.optim_wrapper.optimizer.defaults['lr']
        for group, base_lr in zip(_param_groups(runner), self._base_lr, strict=True):
            group['lr'] = group['initial_lr'] = base_lr * factor
        runner.param_schedulers = runner.build_param_scheduler(deepcopy(stage.param_scheduler or []))

    def _build_loader(self, runner: Runner, index: int) -> DataLoader:
        loader, sampler = runner.train_loop.dataloader, self.plan.sampler_at(index)
        if sampler is None:
            return loader
        config = runner._train_dataloader
        if not isinstance(config, dict):
            raise ConfigError(
                f'Stage {self.plan[index].name!r} has a sampler, which needs train_dataloader as a config, '
                f'got a {type(config).__name__}.'
            )
        config = {k: v for k, v in config.items() if k not in ('dataset', 'num_batch_per_epoch')}
        loader = runner.build_dataloader(
            dict(config, dataset=_Shared(loader.dataset), sampler=sampler),
            seed=runner.seed,
            diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False),
        )
        check_whole_blocks(loader)
        return loader


class _Shared:
    """Survives the deep copy that ``build_dataloader`` makes of its config: the copy is the very data set."""

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def __deepcopy__(self, memo: dict[int, Any]) -> Dataset:
        return self.dataset


def _param_groups(runner: Runner) -> list[dict[str, Any]]:
    return runner.optim_wrapper.optimizer.param_groups


def _learned(model: nn.Module) -> list[str]:
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]
