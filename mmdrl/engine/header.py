"""What a run is about, in a few lines on the console before it begins."""

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from rich.text import Text

from mmdrl.datasets.labels import dataset_labels
from mmdrl.datasets.same_images import distinct_images
from mmdrl.errors import MMDRLError
from mmdrl.stats import shot_groups
from mmdrl.visualization.bars import result_console
from mmdrl.visualization.plan_rows import count, wrapped
from mmdrl.visualization.tables import group_rule

from .environment import code_in_words, describe_environment, device_name
from .hooks import TwoStageHook
from .model_parts import unwrap
from .shot_settings import shot_settings

_WHOLE = ('config', 'weights', 'resumes from', 'work folder', 'log')  # to be copied


class HeaderHook(Hook):
    """Prints the header once everything is built, unless the console is to show warnings only."""

    priority = 'LOWEST'

    def before_run(self, runner: Runner) -> None:
        """Print it, on the first process."""
        if is_main_process() and any(0 < handler.level <= 20 for handler in runner.logger.handlers):
            console = result_console()
            console.print(header_text(header_rows(runner), console.width), soft_wrap=True)


def header_text(rows: dict[str, str], width: int) -> Text:
    """The rows in lines of at most so many letters, paths whole, the first in bold."""
    label = max(map(len, rows)) + 2
    texts = {
        name: [text] if name in _WHOLE else wrapped(text, max(width - label, 20)).split('\n')
        for name, text in rows.items()
    }
    lines = [f'{(name, "")[i > 0]:<{label}}{part}' for name, parts in texts.items() for i, part in enumerate(parts)]
    return Text('\n').join([Text(lines[0], style='bold'), *map(Text, lines[1:])])


def header_rows(runner: Runner) -> dict[str, str]:
    """Config, model, data, stages, devices, seed and folder of a run whose loops are built, by name."""
    model: Any = unwrap(runner.model)
    rows = {'config': Path(runner.cfg.filename).stem if runner.cfg.filename else runner.experiment_name}
    parts = [type(part).__name__ for name in ('backbone', 'head') if (part := getattr(model, name, None)) is not None]
    every = list(model.parameters())
    learned = sum(p.numel() for p in every if p.requires_grad)
    total = sum(p.numel() for p in every)
    frozen = '' if learned == total else f', {count(learned)} of them learn'
    rows['model'] = f'{", ".join(parts) or type(model).__name__}: {count(total)} parameters{frozen}'
    trains = isinstance(runner._train_loop, BaseLoop)
    if trains:
        rows['training set'] = _training_set(runner)
        if isinstance(runner._val_loop, BaseLoop):
            rows['validation set'] = f'{len(runner.val_dataloader.dataset):,} images'
        rows['stages' if _stages(runner) else 'length'] = _length(runner)
    else:
        rows['test set'] = f'{len(runner.test_dataloader.dataset):,} images'
    if runner.cfg.get('load_from'):
        rows['resumes from' if runner.cfg.get('resume') else 'weights'] = runner.cfg.load_from
    processes = get_world_size()
    device = device_name(next(iter(every)).device) if every else 'cpu'
    rows['devices'] = f'{processes} x {device}' if processes > 1 else device
    rows['seed'] = str(runner.seed)
    rows['code'] = code_in_words(describe_environment(runner.cfg.filename))
    rows['work folder'] = runner.cfg.work_dir
    rows['log'] = str(Path(runner.cfg.work_dir) / runner.timestamp / f'{runner.timestamp}.log')
    return rows


def _training_set(runner: Runner) -> str:
    """Images, classes and their groups; images alone of a data set that tells no labels."""
    dataset = runner.train_dataloader.dataset
    try:
        labels = dataset_labels(dataset)[distinct_images(dataset)]
        groups, own_counts = shot_settings(runner.cfg)
    except (MMDRLError, NotImplementedError):
        return f'{len(dataset):,} images'
    counts = np.bincount(labels)
    sizes = shot_groups(counts if own_counts is None else own_counts, **groups)
    grouped = ', '.join(f'{int(mask.sum())} {name}' for name, mask in sizes.items())
    return (
        f'{len(labels):,} images of {len(counts):,} classes, {counts.max():,} to {counts.min():,} each; '
        f'{grouped}-shot ({group_rule(**groups)})'
    )


def _stages(runner: Runner) -> TwoStageHook | None:
    return next((hook for hook in runner.hooks if isinstance(hook, TwoStageHook)), None)


def _length(runner: Runner) -> str:
    loop, hook = runner.train_loop, _stages(runner)
    if hook is not None:
        return ', '.join(f'{stage.name} {_epochs(stage.epochs)}' for stage in hook.plan.stages)
    return _epochs(loop.max_epochs) if isinstance(loop, EpochBasedTrainLoop) else f'{loop.max_iters:,} iterations'


def _epochs(number: int) -> str:
    return f'{number} epoch{"s" * (number != 1)}'
