"""The soak: that it kills real trainings and goes on with them, and that it would see what differs."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from command import ROOT, SHORT_DIGITS, benchmark, run

outcome = benchmark('soak_outcome')


def values() -> Any:
    parts: dict[str, dict[str, Any]] = {
        'state_dict': {'head.fc.weight': torch.tensor([1.0, -2.0]), 'head.counts': torch.tensor([3, 4])},
        'optimizer': {'state/0/momentum_buffer': torch.tensor([0.5]), 'param_groups/0/lr': 0.1},
        'predictions': {'label': torch.tensor([0, 1])},
        'results': {'metrics/linear/all': 91.8},
    }
    return outcome.Outcome(parts, {1: 2.5, 2: 2.25})


def test_equal_trainings_do_not_differ() -> None:
    assert outcome.compare(values(), values()) == dict(differs=[], deviation=0.0, metrics={})


@pytest.mark.parametrize(
    ('part', 'name', 'value'),
    [
        ('state_dict', 'head.fc.weight', torch.nextafter(torch.tensor([1.0, -2.0]), torch.tensor(9.0))),
        ('state_dict', 'head.counts', torch.tensor([3, 5])),
        ('optimizer', 'state/0/momentum_buffer', torch.tensor([0.5], dtype=torch.float64)),
        ('optimizer', 'param_groups/0/lr', 0.2),
        ('predictions', 'label', torch.tensor([0, 0])),
        ('results', 'metrics/linear/all', 91.6),
    ],
)
def test_any_other_bit_differs(part: str, name: str, value: Any) -> None:
    found = values()
    found.values[part][name] = value
    assert outcome.compare(found, values())['differs'] == [part]


def test_another_loss_differs_and_a_deviation_is_relative_to_the_largest_value() -> None:
    found = values()
    found.losses[2] = 2.26
    found.values['state_dict']['head.fc.weight'] = torch.tensor([1.5, -2.0])
    compared = outcome.compare(found, values())
    assert compared['differs'] == ['state_dict', 'losses']
    assert compared['deviation'] == pytest.approx(0.25)


def test_losses_of_a_repeated_iteration_are_those_of_the_last_time(tmp_path: Path) -> None:
    for part, lines in (
        ('1', ['{"loss": 2.0, "iter": 1}', '{"loss": 3.0, "iter": 2}', '{"lo']),
        ('2', ['{"loss": 4, "iter": 2}']),
    ):
        folder = tmp_path / part / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text('\n'.join(lines))
    assert outcome.logged_losses(tmp_path) == {1: 2.0, 2: 4.0}
    assert outcome.logged_losses(tmp_path, last=True) == {2: 4.0}


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.distributed
def test_two_kills_of_a_short_training_leave_no_trace(tmp_path: Path) -> None:
    out = tmp_path / 'soak.json'
    longer = ('train_cfg.max_epochs=8', 'default_hooks.stages.stages.0.epochs=6')
    options = [option for option in SHORT_DIGITS if not option.startswith(tuple(o.split('=')[0] + '=' for o in longer))]
    plan = ['--cycles', 2, '--two', 0, '--longest', 1, '--interval', 5, '--workers', 1, '--seed', 2]
    command = [ROOT / 'benchmarks/soak.py', *plan, '--out', out, '--cfg-options', *options, *longer]
    answer = run(sys.executable, '-W', 'ignore', *command, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    found = json.loads(out.read_text())
    assert found['one_process']['cycles'] == 2
    assert found['one_process']['runs_ended'] >= 1
    assert found['one_process']['differing'] == []
    assert found['one_process']['iterations_of_a_run'] == 6 * 11 + 2 * 2
    assert [row['signal'] for row in found['cycles']] == ['SIGKILL', 'SIGKILL']
