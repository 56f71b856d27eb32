"""Training in stages: one run, one log, one checkpoint series.

A stage may change the images, the losses, what is frozen, the head, the optimiser and its schedule. Everything is built
and checked before training begins; at a boundary it is only swapped in. A checkpoint remembers its stage, and resuming
restores that stage's set-up before its states are loaded.
"""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmdrl.engine.loops.order import order_seed, set_order_seeds
from mmdrl.engine.model_parts import frozen_parts, unwrap
from mmdrl.engine.stages import Stage, StagePlan
from mmdrl.engine.stages.augments import StageAugments
from mmdrl.engine.stages.averaged import begin_anew, give_loss
from mmdrl.engine.stages.best import BestWeights
from mmdrl.engine.stages.fit import check_stages, loss_scales, stage_loss
from mmdrl.engine.stages.head import hand_on_class_counts, stage_head
from mmdrl.engine.stages.images import BatchMixing, stage_loader, wants_scores
from mmdrl.engine.stages.log import name_stages
from mmdrl.engine.stages.reset import reset_parts
from mmdrl.engine.stages.schedule import fit_run_schedule, start_schedule
from mmdrl.engine.stages.tried import try_images
from mmdrl.models import DRHead
from mmdrl.registry import HOOKS
from mmdrl.visualization.plan_rows import count

from .class_counts import ClassCountsHook
from .companions import check_companions


@HOOKS.register_module()
class TwoStageHook(Hook):
    """Runs the stages of a plan one after the other; two or more, in spite of its name.

    Args:
        stages: One dict per stage, see :class:`mmdrl.engine.stages.Stage`. Their epochs must add up to
            ``train_cfg.max_epochs``.

    Raises:
        ConfigError: Before training, if the plan does not fit the run: its length, a pattern that freezes nothing, a
            head for other classes, a metric that nobody measures; on resuming, if the checkpoint was trained with other
            stages.
    """

    priority = 'ABOVE_NORMAL'  # before the sampler learns the epoch, after the class counts

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
        model, indices = unwrap(runner.model), range(len(self.plan))
        loaders = [stage_loader(runner, self.plan, index) for index in indices]
        self._lengths = [len(loader) for loader in loaders]
        self._augments = StageAugments(model, self.plan)
        for stage, loader, augments in zip(self.plan.stages, loaders, self._augments.of_stages, strict=True):
            try_images(stage, loader.dataset, getattr(model, 'data_preprocessor', None), augments)
        check_stages(runner, self.plan, self._lengths)
        self._is_learned = {name: p.requires_grad for name, p in model.named_parameters()}
        self._wrapped_for = _learned(model)
        self._loss = getattr(getattr(model, 'head', None), 'loss_module', None)
        self._mixing = BatchMixing(model, wants_scores(runner.cfg))
        self._loaders: list[DataLoader | None] = [*loaders]
        self._seeds = [order_seed(loader) for loader in loaders]
        pairs = zip(self.plan.stages, self._lengths, strict=True)
        loop.epoch_lengths = [length for stage, length in pairs for _ in range(stage.epochs)]
        loop._max_iters = sum(loop.epoch_lengths)
        fit_run_schedule(runner, self.plan, loop.epoch_lengths)
        choices = [(self.plan[index - 1], self.plan[index].load_best) for index in indices]
        self._best = {stage.name: BestWeights(stage, choice) for stage, choice in choices if choice is not None}
        name_stages(runner, self.plan)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """On resuming, restore the set-up of the checkpoint's stage, so that its states fit."""
        if not runner._resume or not hasattr(self, '_loaders'):
            return
        saved: Any = checkpoint.get('stages')
        current = self.plan.find_stage(saved)
        set_order_seeds(self._loaders, saved.get('seeds'))
        self._seeds = saved['seeds']
        for stage in self.plan.stages[current:]:  # those before have been used
            if stage.name in self._best:
                self._best[stage.name].restore(runner, (saved.get('best') or {}).get(stage.name))
        for index in range(current + 1):
            self._replace_head(runner, index)
        if self._loss is not None:  # what it has gathered before a stage put another in its place
            self._loss.load_state_dict(saved.get('loss') or {}, strict=False)
        self._set_up(runner, current, self.plan.schedule_at(current))
        runner.logger.info(f'Resumed in stage {self.plan.describe(current)}.')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep stage and plan in the checkpoint."""
        best = {name: best.state() for name, best in self._best.items()}
        stages = dict(current=self.current, plan=self.plan.outline(), seeds=self._seeds, best=best)
        checkpoint['stages'] = stages | dict(loss={} if self._loss is None else dict(self._loss.state_dict()))

    def before_train_epoch(self, runner: Runner) -> None:
        """Enter the stage to which the epoch belongs."""
        self._is_model_set = False
        index = self.plan.index_at(runner.epoch)
        if index == self.current:
            return
        stage = self.plan[index]
        if index > 0 and self.plan[index - 1].name in self._best:
            self._best[self.plan[index - 1].name].load(runner)
            begin_anew(runner)
        runner.optim_wrapper.zero_grad()  # of an accumulation that the stage before has not finished
        self._replace_head(runner, index)
        self._set_up(runner, index, stage if stage.has_own_schedule else None)
        reset_parts(runner, stage)
        if stage.has_own_schedule:
            runner.optim_wrapper.initialize_count_status(runner.model, runner.iter, runner.max_iters)
        for key in [key for key in runner.message_hub.log_scalars if key.startswith('train/')]:
            del runner.message_hub.log_scalars[key]  # or the log would go on naming losses that have stopped
        learned = sum(p.numel() for p in unwrap(runner.model).parameters() if p.requires_grad)
        runner.logger.info(
            f'Stage {self.plan.describe(index)}: {len(runner.train_dataloader)} iterations each, '
            f'{count(learned)} parameters learn, lr {runner.optim_wrapper.optimizer.param_groups[0]["lr"]:.3g}.'
        )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep frozen parts in eval mode: the loop calls ``model.train()`` after every epoch's start."""
        if not self._is_model_set:
            for module in self._frozen:
                module.eval()
            self._is_model_set = True

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep the best weights of a stage, if the next one begins with them."""
        if self.current >= 0 and self.plan[self.current].name in self._best:
            notes: dict[str, Any] = {}
            for hook in runner.hooks:
                if hook is self or isinstance(hook, ClassCountsHook):
                    hook.before_save_checkpoint(runner, notes)
            self._best[self.plan[self.current].name].consider(runner, metrics or {}, notes)

    def after_train(self, runner: Runner) -> None:
        """Say so if the run ends, by an ``EarlyStoppingHook`` for example, before its last stage."""
        if 0 <= self.current < len(self.plan) - 1:
            runner.logger.warning(f'Training has stopped in stage {self.plan.describe(self.current)}.')

    def _replace_head(self, runner: Runner, index: int) -> None:
        stage, model = self.plan[index], unwrap(runner.model)
        if stage.head is None:
            return
        model.head = stage_head(runner.cfg, self.plan, index, model.head)
        self._loss = getattr(model.head, 'loss_module', None)
        for name, parameter in model.named_parameters():
            if name.startswith('head.'):
                self._is_learned[name] = parameter.requires_grad

    def _set_up(self, runner: Runner, index: int, scheduling: Stage | None) -> None:
        """All that a stage changes except weights; optimiser and schedule anew if a stage is given that has them."""
        stage, model, loop = self.plan[index], unwrap(runner.model), runner.train_loop
        loop.dataloader = self._loaders[index]
        self._loaders[:index] = [None] * index  # lets the workers of past stages go
        self._mixing.switch(stage.mixing)
        self._augments.switch(index)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(self._is_learned.get(name, True))
        if self._loss is not None:
            loss = stage_loss(model, stage)
            loss = self._loss if loss is None else loss.to(next(model.parameters()).device)
            hand_on_class_counts(model.head, loss)
            model.head.loss_module = loss
            give_loss(runner, loss)
        if scheduling is not None:
            start_schedule(runner, scheduling, self._lengths[self.plan.stages.index(scheduling)])
        for pattern in stage.freeze:
            for parameter in frozen_parts(model, pattern, stage.name).parameters:
                parameter.requires_grad_(False)
        for head, scale in loss_scales(model, stage):
            head.loss_scale = scale
            if isinstance(head, DRHead) and scale['loss_dr'] == 0:
                # Learned radii and projections have no gradient then, and DDP would wait for one.
                head.dr_layers.requires_grad_(False)
        learned = _learned(model)
        if is_model_wrapper(runner.model) and learned != self._wrapped_for:
            # DDP settles at construction whose gradients it waits for.
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
            runner._maybe_compile('train_step')
        self._wrapped_for = learned
        # After wrapping, which replaces the layers that it converts to SyncBN.
        model = unwrap(runner.model)
        self._frozen = [m for pattern in stage.freeze for m in frozen_parts(model, pattern, stage.name).modules]
        runner.message_hub.update_info('stage', stage.name)
        self.current = index


def _learned(model: nn.Module) -> list[int]:
    return [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
