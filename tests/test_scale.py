"""The training tool gives one result whatever the number of processes, and goes on with another number of them."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from command import ROOT
from forks import Forks

from mmdrl.engine.checkpoints import read_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.distributed]

# Stages of 10, 10, 4, 4 and 4 iterations of 32 images; all parts whose value hangs on the whole batch.
CONFIG = """
_base_ = ['{root}/configs/drl_r8_digits-lt.py']

stage = dict(type='mmdrl.ClassAwareSampler', num_samples=128)
model = dict(
    backbone=dict(type='mmdrl.GroupNormResNet8', out_indices=(1, 2)),
    head=dict(
        dr_layers=(-2, -1),
        dr_channels=(32, 64),
        dr_projection=(16,),
        centroids=dict(mode='{mode}'),
        dr_loss=dict(radius=dict(type='mmdrl.LearnedRadius', _delete_=True)),
        loss=dict(type='mmdrl.LogitAdjustedLoss', _delete_=True),
    ),
)
train_dataloader = dict(num_batch_per_epoch=10)  # 331 images would be padded to 332
train_cfg = dict(max_epochs=5, val_interval=5)
optim_wrapper = dict(optimizer=dict(lr=0.02))  # a larger one would magnify how sums are rounded
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=3),
    summary=dict(figures=False),
    stages=dict(
        stages=[
            dict(name='warm-up', epochs=2, loss_weights=dict(loss_dr=0.0)),
            dict(name='feature', epochs=2, sampler=stage),
            dict(name='classifier', epochs=1, sampler=stage, freeze=['backbone'], loss_weights=dict(loss_dr=0.0)),
        ],
    ),
)
custom_hooks = [dict(type='mmdrl.Watch')]
"""
ITERATIONS = 32
TOTAL = ('--total-batch', '32')


class Trainings:
    """Runs of the tool in one folder."""

    def __init__(self, forks: Forks, folder: Path, mode: str):
        self.forks, self.folder = forks, folder
        (folder / 'config.py').write_text(CONFIG.format(root=ROOT, mode=mode))

    def train(self, name: str, processes: int, *options: str, kill: int | None = None, record: str = '') -> str:
        """Train with so many processes; returns what the tool says."""
        launcher = ['--launcher', 'pytorch'] if processes > 1 else ['--gpus', '0']
        command = ['config.py', '--work-dir', name, *TOTAL, *launcher, *options]
        told = self.folder / f'{record or name}.jsonl'
        stop = '-' if kill is None else kill
        statuses, said = self.forks.start(processes, 'worker_tool.py', told, stop, *command, cwd=self.folder)
        assert statuses == [0 if kill is None else -9] * processes, said
        return said

    def record(self, name: str) -> list[dict[str, Any]]:
        """What each iteration has seen; ``loss``: mean over the processes, which have equal shares of the batch."""
        entries = [json.loads(line) for line in (self.folder / f'{name}.jsonl').read_text().splitlines()]
        return [dict(entry, loss=sum(entry['losses']) / len(entry['losses'])) for entry in entries]

    def results(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name / 'results.json').read_text())

    def state(self, name: str) -> dict[str, torch.Tensor]:
        """All that the last checkpoint holds of the model: weights, counts, centroids, radii."""
        path = self.folder / name / (self.folder / name / 'last_checkpoint').read_text().strip().rpartition('/')[2]
        checkpoint = read_checkpoint(str(path))
        assert checkpoint is not None
        return checkpoint['state_dict']

    def check_iterations(self, record: str) -> None:
        """Images in the same order, pixels, stage and losses of an unbroken run of one process."""
        wanted = self.record('alone')
        assert [entry['iter'] for entry in wanted] == list(range(ITERATIONS))
        for found in self.record(record):
            expected = wanted[found['iter']]
            for key in ('iter', 'epoch', 'batch', 'images', 'pixels', 'lr'):
                assert found[key] == expected[key], (found['iter'], key)
            assert found['loss'] == pytest.approx(expected['loss'], rel=1e-5), found['iter']

    def check_end(self, name: str) -> None:
        """The same model and the same results."""
        found, expected = self.state(name), self.state('alone')
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            scale = value.double().abs().max().item()
            torch.testing.assert_close(
                found[key], value, rtol=1e-5, atol=1e-5 * scale, msg=lambda text, k=key: f'{k}: {text}'
            )
        got, wanted = self.results(name), self.results('alone')
        assert got['metrics'] == pytest.approx(wanted['metrics'], rel=1e-5, nan_ok=True)
        assert got['total_batch_size'] == wanted['total_batch_size'] == 32


@pytest.fixture(scope='module')
def trainings(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    """Those with centroids of mode ``'running'``; that of one process is there."""
    made = Trainings(forks, tmp_path_factory.mktemp('running'), 'running')
    made.train('alone', 1)
    return made


@pytest.mark.parametrize(('mode', 'count'), [('ema', 2), ('epoch', 4)])
def test_whole_training_does_not_depend_on_the_number_of_processes(
    forks: Forks, tmp_path: Path, mode: str, count: int
) -> None:
    trainings = Trainings(forks, tmp_path, mode)
    trainings.train('alone', 1)
    trainings.train('shared', count)
    trainings.check_iterations('shared')
    trainings.check_end('shared')


def test_two_nodes_train_the_model_of_one_process(trainings: Trainings) -> None:
    """Two agents of torchrun that share nothing but address and port, each with one process of its own."""
    with socket.socket() as place:
        place.bind(('127.0.0.1', 0))
        port = place.getsockname()[1]
    worker = [trainings.folder / 'nodes.jsonl', '-', 'config.py', '--work-dir', 'nodes', *TOTAL]
    trainings.forks.run(2, 'worker_node.py', port, *worker, '--launcher', 'pytorch', cwd=trainings.folder)
    trainings.check_iterations('nodes')
    trainings.check_end('nodes')


@pytest.mark.faults
def test_killed_run_goes_on_with_four_two_one_and_four_processes(trainings: Trainings) -> None:
    """Killed inside epochs, each time gone on from the last checkpoint (every third iteration)."""
    first = 0
    for number, (count, kill) in enumerate([(4, 7), (2, 16), (1, 24), (4, None)]):
        options = ['--resume'] if number else []
        trainings.train('elastic', count, *options, kill=kill, record=f'elastic-{number}')
        last = ITERATIONS - 1 if kill is None else kill
        assert [entry['iter'] for entry in trainings.record(f'elastic-{number}')] == list(range(first, last + 1))
        trainings.check_iterations(f'elastic-{number}')
        first = (last + 1) // 3 * 3
    trainings.check_end('elastic')
