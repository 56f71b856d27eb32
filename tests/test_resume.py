"""Runs killed by SIGKILL inside an epoch: what is left of the run is what the unbroken one did."""

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from command import ROOT, run

pytestmark = pytest.mark.slow
INTERVAL = 3  # iterations between two checkpoints, as the worker sets it


class Runs:
    """Collects runs of ``worker_resume.py`` and starts them one after the other."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.plan: list[dict[str, Any]] = []

    def add(self, folder: str, record: str, **settings: Any) -> None:
        self.plan.append(
            dict(folder=str(self.folder / folder), record=str(self.folder / f'{record}.jsonl'), **settings)
        )

    def chain(self, name: str, kills: list[int], rest: dict[str, Any] | None = None, **settings: Any) -> None:
        """A run that is killed again and again, after these iterations; ``rest`` changes settings after the first."""
        for number, kill in enumerate([*kills, None]):
            changed = {**settings, **(rest or {})} if number else settings
            self.add(name, f'{name}-{number}', kill=kill, resume=number > 0, **changed)

    def start(self) -> str:
        plan = self.folder / 'plan.json'
        plan.write_text(json.dumps(self.plan))
        worker = ROOT / 'tests/worker_resume.py'
        answer = run(sys.executable, '-W', 'ignore', worker, plan, cwd=self.folder, CUDA_VISIBLE_DEVICES='')
        assert answer.returncode == 0, answer.stdout
        return answer.stdout

    def record(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / f'{name}.jsonl').read_text().splitlines()]

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        return torch.load(self.folder / f'{name}.jsonl.pth')

    def check(self, name: str, kills: list[int], whole: str = 'whole', keys: tuple[str, ...] = ()) -> None:
        """After each kill the run goes on from the last checkpoint, and all iterations are those of the whole run."""
        expected = self.record(whole)
        first = 0
        for number, kill in enumerate([*kills, expected[-1]['iter']]):
            got = self.record(f'{name}-{number}')
            assert [entry['iter'] for entry in got] == list(range(first, kill + 1))
            for found, wanted in zip(got, expected[first:], strict=False):
                for key in keys or tuple(wanted):
                    assert found[key] == wanted[key], (number, found['iter'], key)
            first = (kill + 1) // INTERVAL * INTERVAL

    def check_weights(self, name: str, kills: list[int], whole: str = 'whole', tolerance: float = 0.0) -> None:
        """All that a state dict holds: weights, batch statistics, centroids, sums, radii."""
        wanted = self.weights(whole)
        got = self.weights(f'{name}-{len(kills)}')
        assert got.keys() == wanted.keys()
        for key, value in wanted.items():
            torch.testing.assert_close(
                got[key], value, rtol=tolerance, atol=tolerance, msg=lambda m, k=key: f'{k}: {m}'
            )


RADIUS: dict[str, Any] = {'model.head.dr_loss.radius': dict(type='mmdrl.LearnedRadius', _delete_=True)}
IN_WORKERS = {'train_dataloader.num_workers': 2, 'train_dataloader.persistent_workers': True}


def kills_of(number: int, first: int, last: int) -> list[int]:
    """So many iterations in ascending order, the same in every run of the tests."""
    return sorted(random.Random(20211011 + number).sample(range(first, last + 1), number))


def test_twenty_kills_leave_no_trace(tmp_path: Path) -> None:
    """Epochs of 11, 11, 4, 4 and 4 iterations. The whole run loads its images itself, the other has two workers."""
    kills = kills_of(20, 0, 32)
    assert {10, 21, 29} & set(kills)  # at the end of an epoch or a stage
    runs = Runs(tmp_path)
    runs.add('whole', 'whole', shifts=True, changes=RADIUS)
    runs.chain('killed', kills, shifts=True, changes=RADIUS | IN_WORKERS)
    runs.start()
    whole = runs.record('whole')
    assert len({str(entry['pixels']) for entry in whole}) == 34
    assert [entry['epoch'] for entry in whole] == [0] * 11 + [1] * 11 + [2] * 4 + [3] * 4 + [4] * 4
    assert [entry['frozen'] for entry in whole] == [False] * 30 + [True] * 4
    runs.check('killed', kills)
    runs.check_weights('killed', kills)


@pytest.mark.parametrize('mode', ['ema', 'epoch'])
def test_other_centroids_go_on_too(tmp_path: Path, mode: str) -> None:
    changes = {**RADIUS, 'model.head.centroids': dict(mode=mode), 'optim_wrapper.accumulative_counts': 2}
    kills = kills_of(3, 3, 32)
    runs = Runs(tmp_path)
    runs.add('whole', 'whole', shifts=True, changes=changes)
    runs.chain('killed', kills, shifts=True, changes=changes)
    runs.start()
    runs.check('killed', kills)
    runs.check_weights('killed', kills)


@pytest.mark.host
def test_killed_iterations_go_on_bit_for_bit(tmp_path: Path) -> None:
    """18 iterations, of which 11, an endless number and 7 are a pass; validation every 7 draws random numbers too."""
    samplers = {
        'default': dict(type='DefaultSampler', shuffle=True),
        'infinite': dict(type='InfiniteSampler', shuffle=True),
        'aware': dict(type='mmdrl.ClassAwareSampler', num_samples=224),
    }
    cuts = dict(zip(samplers, ([12], [5, 16], [9]), strict=True))
    runs = Runs(tmp_path)
    for name, sampler in samplers.items():
        changes = {'train_dataloader.sampler': dict(sampler, _delete_=True)}
        settings: dict[str, Any] = dict(loop='iter', iterations=18, shifts=True)
        runs.add(f'{name}-whole', f'{name}-whole', changes=changes, **settings)
        runs.chain(name, cuts[name], changes=changes | IN_WORKERS, **settings)
    runs.start()
    for name, kills in cuts.items():
        runs.check(name, kills, f'{name}-whole')
        runs.check_weights(name, kills, f'{name}-whole')


# 320 images, as two processes would pad 331 to 332.
TWO: dict[str, Any] = {'train_dataloader.num_batch_per_epoch': 10}


@pytest.mark.distributed
def test_two_processes_go_on_with_what_both_have_gathered(tmp_path: Path) -> None:
    """Centroid sums, batch statistics that differ inside an epoch, and gradients that wait for a step.

    In double precision, as training would magnify how single precision rounds a mean that is taken earlier. One process
    that goes on has the same images and pixels, too; dropout has no such thing in common.
    """
    averages = {'custom_hooks': [dict(type='EMAHook')]}
    changes = {**TWO, **RADIUS, **averages, 'optim_wrapper.accumulative_counts': 2}
    kills = [4, 15, 24]  # the checkpoints after 3 and 15 iterations wait for a step
    runs = Runs(tmp_path)
    settings: dict[str, Any] = dict(processes=2, shifts=True, double=True, changes=changes)
    runs.add('whole', 'whole', **settings)
    runs.chain('killed', kills, **settings)
    runs.chain('fewer', [15], rest=dict(processes=1), **settings)
    runs.start()
    keys = ('iter', 'epoch', 'batch', 'images', 'pixels', 'lr', 'frozen')
    runs.check('killed', kills, keys=keys)
    runs.check('fewer', [15], keys=keys)
    whole = runs.record('whole')
    for number in range(len(kills) + 1):
        for entry in runs.record(f'killed-{number}'):
            assert entry['losses'] == pytest.approx(whole[entry['iter']]['losses'], abs=1e-9, rel=0)
    runs.check_weights('killed', kills, tolerance=1e-9)


@pytest.mark.distributed
def test_fewer_processes_go_on_with_the_same_pixels_by_iterations(tmp_path: Path) -> None:
    changes = {**TWO, 'train_dataloader.sampler.type': 'InfiniteSampler'}
    settings: dict[str, Any] = dict(changes=changes, loop='iter', iterations=18, shifts=True)
    runs = Runs(tmp_path)
    runs.add('whole', 'whole', **settings)
    runs.chain('fewer', [13], processes=2, rest=dict(processes=1), **settings)
    runs.start()
    runs.check('fewer', [13], keys=('iter', 'epoch', 'batch', 'images', 'pixels', 'lr'))


@pytest.mark.distributed
def test_checkpoints_hold_what_all_processes_know_unless_they_disagree(tmp_path: Path) -> None:
    """A hook of one process alone must not let it wait for the others."""
    launch = (sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2')
    worker = ROOT / 'tests/worker_common_state.py'
    answer = run(*launch, worker, tmp_path, cwd=tmp_path, CUDA_VISIBLE_DEVICES='')
    assert answer.returncode == 0, answer.stdout
    for line in ('common: 2', 'unsynchronised: 2', 'disagreement: 4'):
        assert f'{line} checkpoints are as expected' in answer.stdout
