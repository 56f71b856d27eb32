"""Runs that a signal ends: every iteration happens once, and what is left is what the unbroken run did."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from forks import Forks

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.host]
RADIUS: dict[str, Any] = {'model.head.dr_loss.radius': dict(type='mmdrl.LearnedRadius', _delete_=True)}
OFTEN = {'train_cfg.val_interval': 1}
AVERAGED = {'custom_hooks': [dict(type='EMAHook')], 'optim_wrapper.accumulative_counts': 2}
# As the configs have it: after every epoch, and so before every validation.
BY_EPOCH = {
    'default_hooks.checkpoint': dict(type='mmdrl.AtomicCheckpointHook', interval=1, max_keep_ckpts=2, _delete_=True)
}


class Runs:
    """Collects runs of ``worker_preemption.py`` and starts them one after the other."""

    def __init__(self, folder: Path, forks: Forks):
        self.folder, self.forks = folder, forks
        self.plan: list[dict[str, Any]] = []

    def add(self, name: str, record: str, ring: dict[str, Any] | None = None, **settings: Any) -> None:
        status = 0 if ring is None else 128 + ring.get('number', signal.SIGTERM)
        paths = dict(folder=str(self.folder / name), record=str(self.folder / f'{record}.jsonl'))
        self.plan.append(dict(**paths, ring=ring, status=status, **settings))

    def chain(self, name: str, rings: list[dict[str, Any]], **settings: Any) -> None:
        """A whole run, and one that is ended by each of the signals and goes on."""
        self.add(f'{name}-whole', f'{name}-whole', **settings)
        for number, ring in enumerate([*rings, None]):
            self.add(name, f'{name}-{number}', ring, resume=number > 0, **settings)

    def start(self) -> None:
        plan = self.folder / 'plan.json'
        plan.write_text(json.dumps(self.plan))
        self.forks.run(1, 'worker_preemption.py', plan, cwd=self.folder)

    def record(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f'{name}.jsonl'
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def check(self, name: str, parts: int, tolerance: float = 0.0) -> list[int]:
        """The parts are the whole run, cut; returns after how many iterations it was cut."""
        records = [self.record(f'{name}-{number}') for number in range(parts)]
        got, wanted = [entry for record in records for entry in record], self.record(f'{name}-whole')
        assert [entry['iter'] for entry in got] == list(range(len(wanted)))
        for found, expected in zip(got, wanted, strict=True):
            for key in expected:
                same = (
                    pytest.approx(expected[key], abs=tolerance, rel=0) if key in ('losses', 'smooth') else expected[key]
                )
                assert found[key] == same, (found['iter'], key)
        left, unbroken = (
            torch.load(self.folder / f'{record}.jsonl.pth') for record in (f'{name}-{parts - 1}', f'{name}-whole')
        )
        assert left.keys() == unbroken.keys()
        for key, value in unbroken.items():
            torch.testing.assert_close(
                left[key], value, rtol=tolerance, atol=tolerance, msg=lambda m, k=key: f'{k}: {m}'
            )
        last = (self.folder / name / 'last_checkpoint').read_text()
        assert not (self.folder / name / 'interrupted.pth').exists()
        assert 'interrupted' not in last
        assert Path(last).is_file()
        return [sum(map(len, records[: number + 1])) for number in range(parts - 1)]


RINGS: dict[str, list[dict[str, Any]]] = {
    'anywhere': [
        dict(at='before_train_iter', iteration=1, number=signal.SIGINT),
        dict(at='after_train_iter', iteration=5),  # where a checkpoint is written too
        dict(at='after_train_iter', iteration=10, number=signal.SIGUSR1),  # the last of an epoch
        dict(at='after_train_epoch', iteration=22),  # which no checkpoint follows
        dict(at='before_train_iter', iteration=23),
        dict(at='before_train_epoch', iteration=30),  # between two stages
    ],
    'between': [
        dict(at='after_val_iter', iteration=11),
        dict(at='after_train_epoch', iteration=22),
        dict(at='before_save_checkpoint', iteration=30, number=signal.SIGINT, times=2),  # the save is finished
    ],
    'iterations': [
        dict(at='before_train_iter', iteration=3),
        dict(at='after_val_iter', iteration=7),
        dict(at='after_train_iter', iteration=12, number=signal.SIGUSR1),
    ],
    'own': [dict(at='before_train_iter', iteration=13)],
    'two': [
        dict(at='before_train_iter', iteration=2, ranks=[1]),
        dict(at='after_train_iter', iteration=14, ranks=[0, 1], number=signal.SIGUSR1),
        dict(at='after_train_epoch', iteration=20, ranks=[1]),
    ],
}


@pytest.fixture(scope='module')
def runs(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Runs:
    """All of them, by one script, as most of their time would be its start."""
    runs = Runs(tmp_path_factory.mktemp('runs'), forks)
    runs.chain('anywhere', RINGS['anywhere'], shifts=True, changes=RADIUS | AVERAGED | OFTEN)
    exact = {'model.head.centroids': dict(mode='epoch'), 'custom_hooks': [dict(type='EMAHook')]}
    runs.chain('between', RINGS['between'], changes=BY_EPOCH | OFTEN | exact)
    runs.chain('iterations', RINGS['iterations'], loop='iter', iterations=16, shifts=True)
    changes = RADIUS | AVERAGED | BY_EPOCH | {'train_dataloader.num_batch_per_epoch': 10}
    runs.chain('two', RINGS['two'], processes=2, shifts=True, double=True, changes=changes)
    runs.add('twice', 'twice', dict(at='before_train_iter', iteration=4, times=2))
    runs.chain('own', RINGS['own'], changes={'train_cfg.type': 'EpochBasedTrainLoop'})
    runs.start()
    return runs


def test_signals_anywhere_leave_no_trace(runs: Runs) -> None:
    """Epochs of 11, 11, 4, 4 and 4 iterations in three stages, averaged weights, a step every two iterations."""
    assert runs.check('anywhere', 7) == [2, 6, 11, 22, 24, 31]


def test_validation_and_the_pass_for_centroids_may_be_interrupted(runs: Runs) -> None:
    """A validation is broken off and repeated; the pass is finished. Both come after the last iteration of an epoch."""
    assert runs.check('between', 4) == [11, 22, 30]


def test_iterations_without_epochs_go_on(runs: Runs) -> None:
    """Checkpoints after every 3, validation after every 7; at 7 there is none to go back to, so it is finished."""
    assert runs.check('iterations', 4) == [4, 8, 13]


@pytest.mark.distributed
def test_two_processes_stop_together_whichever_hears(runs: Runs) -> None:
    """In double precision, as a checkpoint takes some means earlier than the unbroken run."""
    first, second, third = runs.check('two', 4, tolerance=1e-9)
    assert 3 <= first <= 10
    assert 15 <= second <= 20
    assert third == 20


def test_second_signal_ends_at_once_and_leaves_the_checkpoint_before(runs: Runs) -> None:
    assert [entry['iter'] for entry in runs.record('twice')] == [0, 1, 2, 3]
    folder = runs.folder / 'twice'
    assert Path((folder / 'last_checkpoint').read_text()).name == 'iter_3.pth'
    assert not (folder / 'interrupted.pth').exists()


def test_loop_of_the_host_goes_on_with_the_epoch_that_was_broken_off(runs: Runs) -> None:
    before, after = runs.record('own-0'), runs.record('own-1')
    assert [entry['iter'] for entry in before] == list(range(14))
    assert [(entry['iter'], entry['epoch'], entry['batch']) for entry in after[:2]] == [(14, 1, 0), (15, 1, 1)]
    assert after[-1]['epoch'] == 4
    assert not (runs.folder / 'own/interrupted.pth').exists()
