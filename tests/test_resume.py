"""Runs killed by SIGKILL inside an epoch: what is left of the run is what the unbroken one did."""

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from command import ROOT, run

pytestmark = [pytest.mark.slow, pytest.mark.host]
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

    def cut(self, name: str, kill: int, rest: dict[str, Any] | None = None, **settings: Any) -> None:
        """A run that is killed, and one that resumes it, with ``rest`` in place of some settings."""
        self.add(name, f'{name}-cut', kill=kill, **settings)
        self.add(name, f'{name}-rest', resume=True, **{**settings, **(rest or {})})

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

    def check(self, name: str, kill: int, whole: str = 'whole', keys: tuple[str, ...] = ()) -> None:
        """Before the kill and from the last checkpoint on, the iterations are those of the whole run."""
        expected, cut, rest = (self.record(record) for record in (whole, f'{name}-cut', f'{name}-rest'))
        keys = keys or tuple(expected[0])
        saved = (kill + 1) // INTERVAL * INTERVAL
        assert [entry['iter'] for entry in cut] == list(range(kill + 1))
        assert [entry['iter'] for entry in rest] == list(range(saved, len(expected)))
        for got, wanted in zip(cut[:saved] + rest, expected, strict=True):
            assert {key: got[key] for key in keys} == {key: wanted[key] for key in keys}

    def check_weights(self, name: str, whole: str = 'whole') -> None:
        wanted = self.weights(whole)
        got = self.weights(f'{name}-rest')
        assert got.keys() == wanted.keys()
        assert [key for key in wanted if not torch.equal(got[key], wanted[key])] == []


def any_of(*ranges: tuple[int, int]) -> list[int]:
    """One iteration of each range, the same in every run of the tests."""
    generator = random.Random(20211011)
    return [generator.randint(first, last) for first, last in ranges]


def test_killed_stages_go_on_inside_their_epochs_bit_for_bit(tmp_path: Path) -> None:
    """Epochs of 11, 11, 4, 4 and 4 iterations; random shifts are drawn by the process that trains."""
    runs = Runs(tmp_path)
    runs.add('whole', 'whole', shifts=True)
    # The last checkpoint is one iteration before the sampler changes; and where the backbone is frozen.
    cuts = [*any_of((3, 9)), 20, 32]
    for kill in cuts:
        runs.cut(f'cut{kill}', kill, shifts=True)
    in_workers = {'train_dataloader.num_workers': 2, 'train_dataloader.persistent_workers': True}
    runs.cut('workers', 16, shifts=True, changes=in_workers)
    runs.start()
    whole = runs.record('whole')
    assert len({str(entry['pixels']) for entry in whole}) == 34
    assert [entry['epoch'] for entry in whole] == [0] * 11 + [1] * 11 + [2] * 4 + [3] * 4 + [4] * 4
    for kill in cuts:
        runs.check(f'cut{kill}', kill)
        runs.check_weights(f'cut{kill}')
    assert [entry['frozen'] for entry in runs.record('cut32-rest')] == [True]
    runs.check('workers', 16, keys=('iter', 'epoch', 'batch', 'images', 'lr'))  # their shifts are their own


def test_killed_iterations_go_on_bit_for_bit(tmp_path: Path) -> None:
    """18 iterations, of which 11, an endless number and 7 are a pass; validation every 7 draws random numbers too."""
    samplers = {
        'default': dict(type='DefaultSampler', shuffle=True),
        'infinite': dict(type='InfiniteSampler', shuffle=True),
        'aware': dict(type='mmdrl.ClassAwareSampler', num_samples=224),
    }
    cuts = dict(zip(samplers, any_of((12, 16), (4, 16), (8, 16)), strict=True))
    runs = Runs(tmp_path)
    for name, sampler in samplers.items():
        changes = {'train_dataloader.sampler': dict(sampler, _delete_=True)}
        runs.add(f'{name}-whole', f'{name}-whole', loop='iter', iterations=18, shifts=True, changes=changes)
        runs.cut(name, cuts[name], loop='iter', iterations=18, shifts=True, changes=changes)
    runs.start()
    for name, kill in cuts.items():
        runs.check(name, kill, f'{name}-whole')
        runs.check_weights(name, f'{name}-whole')


@pytest.mark.distributed
def test_any_number_of_processes_goes_on_with_the_same_images(tmp_path: Path) -> None:
    """From 2 to 2 and 2 to 1; 320 images, as two processes would pad 331 to 332."""
    changes: dict[str, Any] = {'train_dataloader.num_batch_per_epoch': 10, 'model.head.centroids': dict(mode='ema')}
    by_epoch = dict(changes=changes)
    by_iteration = dict(
        changes={**changes, 'train_dataloader.sampler.type': 'InfiniteSampler'}, loop='iter', iterations=18
    )
    runs = Runs(tmp_path)
    runs.add('whole', 'whole', processes=2, **by_epoch)
    runs.add('iter-whole', 'iter-whole', processes=2, **by_iteration)
    kill, in_stage = any_of((13, 17), (23, 24))
    runs.cut('same', kill, processes=2, **by_epoch)
    runs.cut('fewer', in_stage, processes=2, rest=dict(processes=1), **by_epoch)
    runs.cut('iter', kill, processes=2, rest=dict(processes=1), **by_iteration)
    runs.start()
    keys = ('iter', 'epoch', 'batch', 'images', 'lr')
    runs.check('same', kill, keys=keys)
    whole = runs.record('whole')
    # A frozen backbone sees running batch statistics, of which a checkpoint has those of the first process only.
    learning = [entry for entry in runs.record('same-rest') if not entry['frozen']]
    assert learning[-1]['epoch'] == 3
    assert all(entry['losses'] == whole[entry['iter']]['losses'] for entry in learning)
    runs.check('fewer', in_stage, keys=keys)
    runs.check('iter', kill, 'iter-whole', keys=keys)
