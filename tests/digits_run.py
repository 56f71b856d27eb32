"""A few seconds of the digits job: the real config with fewer images and epochs."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdrl.engine.config import load_config

ROOT = Path(__file__).parents[1]
STAGES = [
    dict(name='warm-up', epochs=2, loss_weights=dict(loss_dr=0.0)),
    dict(name='feature', epochs=2, sampler=dict(type='mmdrl.ClassAwareSampler', num_samples=128)),
    dict(
        name='classifier',
        epochs=1,
        sampler=dict(type='mmdrl.ClassAwareSampler', num_samples=64),
        freeze=['backbone'],
        loss_weights=dict(loss_dr=0.0),
    ),
]


def short_config(work_dir: Path, stages: list[dict[str, Any]] | None = None, **changes: Any) -> Config:
    """``drl_r8_digits-lt.py`` for five epochs, without figures and without random shifts.

    Without shifts an epoch depends on seed and epoch alone, so that an interrupted run can equal a whole one.

    Args:
        work_dir: Folder of the run.
        stages: Plan in place of the usual two, two and one epochs.
        **changes: Overrides of the config.
    """
    cfg = load_config(str(ROOT / 'configs/drl_r8_digits-lt.py'), work_dir=str(work_dir))
    plan = STAGES if stages is None else stages
    cfg.default_hooks.stages.stages = plan
    cfg.default_hooks.summary.figures = False
    cfg.custom_hooks = []
    cfg.train_cfg.max_epochs = sum(stage['epochs'] for stage in plan)
    cfg.train_dataloader.dataset.dataset.pipeline = [dict(type='PackInputs')]
    cfg.log_level = 'WARNING'
    # MMEngine keeps what writes logs by the name of the config and the second, and would hand out an earlier test's.
    cfg.experiment_name = f'{Path(work_dir).name}_{uuid4().hex}'
    cfg.merge_from_dict(changes)
    return cfg


def train(cfg: Config, *hooks: Hook) -> Runner:
    """Train in this process, with further hooks; the runner tells the rest."""
    cfg.experiment_name = f'{Path(cfg.work_dir).name}_{uuid4().hex}'  # MMEngine keeps its loggers by name and second
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner
