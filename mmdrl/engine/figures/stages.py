"""The stages of a config in the words of a timeline."""

from typing import Any

from mmengine.config import Config

from mmdrl.engine.config import stage_hooks
from mmdrl.engine.stages import Stage, StagePlan
from mmdrl.errors import MMDRLError
from mmdrl.visualization.plan_rows import in_short


def timeline_stages(config: Config | None) -> list[dict[str, Any]]:
    """Arguments of :func:`mmdrl.visualization.stage_timeline_figure`; empty without stages.

    What a stage does not change stays as the config has it, and is told of the first alone.
    """
    hooks = [hook for hook in (stage_hooks(config) if config is not None else ()) if isinstance(hook, dict)]
    if not hooks or not hooks[0].get('stages'):
        return []
    try:
        plan = StagePlan(list(hooks[0]['stages']))
    except MMDRLError:  # of another version of mmdrl
        return []
    return [
        dict(
            name=stage.name,
            epochs=(plan.begin(index) + 1, plan.begin(index + 1)),
            frozen=list(stage.freeze),
            notes=_notes(stage, config),
        )
        for index, stage in enumerate(plan.stages)
    ]


def _notes(stage: Stage, config: Any) -> list[str]:
    loader = config.get('train_dataloader') or {}
    sampler = stage.sampler or loader.get('sampler')
    notes = [f'sampler {in_short(sampler)}'] if sampler else []
    if stage.loss is not None:
        notes.append(f'loss {in_short(stage.loss)}')
    notes += [f'{name} x {weight:g}' if weight else f'no {name}' for name, weight in stage.loss_weights.items()]
    if stage.lr is not None:
        notes.append(f'lr from {stage.lr:g}')
    elif stage.has_own_schedule:
        notes.append('schedule begins anew')
    if stage.head is not None:
        notes.append(f'head {in_short(stage.head)}')
    if stage.reset:
        notes.append(f'reset {", ".join(stage.reset)}')
    if not stage.mixing:
        notes.append('no mixing')
    if stage.load_best is not None:
        notes.append(f'begins with the best by {stage.load_best.metric}')
    return notes
