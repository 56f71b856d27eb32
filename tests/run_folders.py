"""Work folders as runs leave them, written by hand: what a report must read is then known without it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

COUNTS = [80, 30, 5]
CONFIG = """
train_cfg = dict(max_epochs=4, type='mmdrl.ResumableEpochLoop')
optim_wrapper = dict(optimizer=dict(lr={lr}, type='SGD'))
randomness = dict(seed={seed})
load_from = '/home/somebody/private/start.pth'
work_dir = '{work_dir}'
note = {note!r}
default_hooks = dict(
    stages=dict(
        type='mmdrl.TwoStageHook',
        stages=[dict(name='feature', epochs=3), dict(name='classifier', epochs=1, freeze=['backbone'])]))
val_dataloader = dict(dataset=dict(type='mmdrl.ArrayDataset', data_root='{data}'))
"""


def scalars(metrics: Mapping[str, float], epochs: int = 4) -> list[dict[str, Any]]:
    """Lines of a log: two of training and a validation per epoch of ten iterations, the last one with the metrics."""
    lines: list[dict[str, Any]] = []
    for epoch in range(1, epochs + 1):
        stage = 1 if epoch < 4 else 2
        for part in (5, 10):
            number = 10 * (epoch - 1) + part
            lines.append(dict(lr=0.1, loss=2.0 / number, epoch=epoch, iter=number, stage=stage, step=number, time=0.1))
        values = {key: value * epoch / epochs for key, value in metrics.items()}
        lines.append({**values, 'data_time': 0.1, 'time': 0.2, 'stage': stage, 'step': epoch})
    return lines


def write_run(
    folder: Path,
    metrics: Mapping[str, float | None],
    seed: int = 0,
    config: str = 'drl_small',
    lr: float = 0.1,
    note: str = '',
    data: str = 'data/a',
    is_finished: bool = True,
    **changes: Any,
) -> Path:
    """A run of three classes over four epochs.

    Args:
        folder: Its work folder.
        metrics: Of the last validation.
        seed: Of the run.
        config: Name of its config.
        lr: Learning rate in the config.
        note: A text in the config.
        data: Where the config says that the data lie.
        is_finished: Whether it has got to ``results.json``.
        **changes: Of ``results.json``.
    """
    part = folder / '20260101_000000/vis_data'
    part.mkdir(parents=True)
    numbers = {key: value for key, value in metrics.items() if value is not None}
    (part / 'scalars.json').write_text(''.join(f'{json.dumps(line)}\n' for line in scalars(numbers)))
    text = CONFIG.format(seed=seed, lr=lr, note=note, data=data, work_dir=folder)
    (folder / f'{config}.py'.replace('/', '_')).write_text(text)
    (part / 'config.py').write_text(text)
    if not is_finished:
        return folder
    results = dict(
        run=folder.name,
        config=config,
        metrics=metrics,
        class_counts=COUNTS,
        shot_groups=dict(many=60, few=20, edges='exclusive'),
        per_class=dict(linear=[90.0, 80.0, metrics.get('few')]),
        epochs=4,
        iterations=40,
        seed=seed,
        parameters=1234,
        checkpoint=str(folder / 'epoch_4.pth'),
        command=f'/home/somebody/project/tools/train.py /home/somebody/project/configs/{config}.py --gpus 0',
        git=dict(revision='0123456789abcdef0123456789abcdef01234567', has_changes=False),
        python='3.11.7',
        platform='Linux',
        cpu='some processor',
        cpu_cores=2,
        versions=dict(mmdrl='0.1.0', torch='2.9.0'),
        devices=['cpu'],
        total_batch_size=32,
        train_seconds=12.3,
        log_folders=['20260101_000000'],
        stages=dict(feature=dict(metrics), classifier=dict(metrics)),
    )
    (folder / 'results.json').write_text(json.dumps(results | changes))
    labels = np.repeat(np.arange(3), 20)
    np.savez_compressed(
        folder / 'predictions.npz',
        label=labels,
        linear=np.where(np.arange(60) % 5, labels, 0),
        ncm=labels,
        confidence=np.linspace(0.4, 1, 60, dtype=np.float32),
        brier=np.linspace(0, 1, 60, dtype=np.float32),
    )
    return folder
