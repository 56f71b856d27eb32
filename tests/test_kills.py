"""Runs killed by SIGKILL, by the clock and in the middle of writing: the last checkpoint is whole and right."""

import json
import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from command import ROOT, run

pytestmark = [pytest.mark.slow, pytest.mark.faults]


def killed(folder: Path, kind: str, kills: list[float | str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """What was there after each kill, and hashes of the checkpoints of an unbroken run by iteration."""
    worker = ROOT / 'tests/worker_kills.py'
    answer = run(sys.executable, '-W', 'ignore', worker, folder / 'run', kind, json.dumps(kills), cwd=folder)
    assert answer.returncode == 0, answer.stdout
    *entries, last = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith('{"')]
    return (entries, last) if 'kill' not in last else ([*entries, last], {})


def test_every_kill_leaves_the_last_checkpoint_whole_and_the_run_goes_on_from_it(tmp_path: Path) -> None:
    """Twenty kills of one run that keeps one checkpoint; hashes are those of a run that nobody has killed."""
    draw = random.Random(5)
    # First of all before there is a checkpoint, or around it.
    kills: list[float | str] = [
        0.3,
        *[entry for _ in range(9) for entry in ('writing', draw.uniform(0, 0.2))],
        'writing',
    ]
    entries, whole = killed(tmp_path, 'mmdrl.AtomicCheckpointHook', kills)
    assert len(entries) == 20
    before = 0
    for entry in entries:
        assert isinstance(entry['last'], int), entry
        assert entry['sum'] == whole[str(entry['last'])]
        # The last one, and at most its successor, which nobody has noted yet, or its predecessor, which goes next.
        saved = {int(found[1]) for name in entry['files'] if (found := re.fullmatch(r'iter_(\d+)\.pth', name))}
        assert {entry['last']} <= saved <= {entry['last'] - 1, entry['last'], entry['last'] + 1}
        assert len(saved) <= 2
        assert sum(name.endswith('.part') for name in entry['files']) <= 1
        assert entry['last'] >= before
        before = entry['last']
    assert sum(entry['is_written'] for entry in entries) >= 10


def test_one_such_kill_takes_all_from_a_run_with_the_hook_of_the_host(tmp_path: Path) -> None:
    """The kills are real: MMEngine's own hook writes in place, and has removed the old checkpoint before."""
    entries, _ = killed(tmp_path, 'CheckpointHook', ['writing'] * 5)
    assert not isinstance(entries[-1]['last'], int)
