"""Runs killed by SIGKILL around stages that replace head, loss, optimiser and images, and load the best weights."""

from pathlib import Path
from typing import Any

import pytest
from test_resume import IN_WORKERS, Runs, kills_of

pytestmark = [pytest.mark.slow, pytest.mark.host]

AWARE = dict(type='mmdrl.ClassAwareSampler', num_samples=128)
PLAIN = [dict(type='PackInputs')]
STAGES: list[dict[str, Any]] = [
    dict(name='mixed', epochs=2, sampler=AWARE, loss_weights=dict(loss_dr=0.0)),
    dict(
        name='clean', epochs=1, mixing=False, pipeline=PLAIN, sampler=dict(type='mmdrl.PowerSampler', num_samples=128)
    ),
    dict(
        name='scales',
        epochs=2,
        load_best='all',
        sampler=AWARE,
        mixing=False,
        head=dict(classifier=dict(type='mmdrl.LWSClassifier')),
        freeze=['backbone', 'head.fc.weight', 'head.fc.bias'],
        loss=dict(type='SeesawLoss'),  # keeps in a buffer what it has seen
        optim_wrapper=dict(optimizer=dict(_delete_=True, type='Adam', lr=0.01)),
        param_scheduler=[dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=6)],
    ),
    dict(name='anew', epochs=1, sampler=AWARE, mixing=False, reset=['head.fc'], lr=0.02),
]
CHANGES: dict[str, Any] = {
    'model.data_preprocessor.batch_augments': dict(augments=[dict(type='Mixup', alpha=1.0)]),
    'train_cfg.val_interval': 1,
    'test_cfg': None,
    'test_dataloader': None,
    'test_evaluator': None,
}


def test_killed_in_any_stage_the_run_ends_like_the_whole_one(tmp_path: Path) -> None:
    """Epochs of 4 iterations; among the kills are the last iteration before a boundary and the first after it."""
    kills = sorted({*kills_of(5, 0, 22), 11, 12, 19, 20})
    runs = Runs(tmp_path)
    runs.add('whole', 'whole', shifts=True, stages=STAGES, changes=CHANGES)
    runs.chain('killed', kills, shifts=True, stages=STAGES, changes=CHANGES | IN_WORKERS)
    runs.start()
    whole = runs.record('whole')
    assert [entry['epoch'] for entry in whole] == [epoch for epoch in range(6) for _ in range(4)]
    assert [entry['frozen'] for entry in whole] == [False] * 12 + [True] * 8 + [False] * 4
    runs.check('killed', kills)
    runs.check_weights('killed', kills)
