"""What holds for every sampler: one order for all processes, decided by seed and epoch."""

from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from numpy.testing import assert_array_equal
from sampler_cases import COUNTS, LONG_TAIL, SAMPLERS, Rows
from torch.utils.data import Subset

from mmdrl.datasets.samplers import ClassSampler, class_sampler
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATA_SAMPLERS

every_sampler = pytest.mark.parametrize('name', SAMPLERS)


def build(name: str, dataset: Any = None, **arguments: Any) -> ClassSampler:
    dataset = Rows() if dataset is None else dataset
    return DATA_SAMPLERS.build(dict(type=f'mmdrl.{name}', dataset=dataset, **SAMPLERS[name]) | arguments)


@pytest.fixture
def processes(monkeypatch):
    """Build the sampler of each of W processes, as MMEngine would number them."""

    def of_each(name: str, world_size: int, **arguments: Any) -> list[ClassSampler]:
        samplers = []
        for rank in range(world_size):
            monkeypatch.setattr(class_sampler, 'get_dist_info', lambda rank=rank: (rank, world_size))
            samplers.append(build(name, **arguments))
        return samplers

    return of_each


@every_sampler
@pytest.mark.parametrize('world_size', [1, 2, 3, 8])
@pytest.mark.parametrize('num_samples', [8, 25, 32])
def test_processes_share_one_order_by_turns(processes, name, world_size, num_samples):
    whole = list(processes(name, 1, seed=5, num_samples=num_samples)[0])
    assert len(whole) == num_samples
    samplers = processes(name, world_size, seed=5, num_samples=num_samples)
    parts = [list(sampler) for sampler in samplers]
    assert {len(part) for part in parts} == {len(sampler) for sampler in samplers} == {-(-num_samples // world_size)}
    by_turns = [part[turn] for turn in range(len(parts[0])) for part in parts]
    assert by_turns[:num_samples] == whole
    assert by_turns[num_samples:] == whole[: len(by_turns) - num_samples]
    for sampler in samplers:
        assert_array_equal(sampler.global_order(), whole)


@every_sampler
def test_epoch_can_be_as_long_as_there_are_images(name):
    sampler = build(name, num_samples='images', seed=0)
    assert len(sampler) == len(list(sampler)) == 58
    assert list(sampler) == list(build(name, num_samples=58, seed=0))


@every_sampler
def test_seed_and_epoch_decide_the_order(name):
    sampler = build(name, seed=3)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    again = build(name, seed=3)
    again.set_epoch(1)
    assert list(again) == second
    other = build(name, seed=4)
    assert list(other) not in (first, second)


@every_sampler
def test_numbers_come_as_python_integers_in_pieces_of_the_order(name, monkeypatch):
    sampler = build(name, seed=0)
    positions = list(sampler)
    assert {type(position) for position in positions} == {int}
    monkeypatch.setattr(class_sampler, 'PIECE', 7)
    assert list(sampler) == positions == sampler.global_order().tolist()


@every_sampler
def test_unset_seed_follows_the_seed_of_the_process(name):
    np.random.seed(1)
    sampler = build(name)
    np.random.seed(1)
    assert build(name).seed == sampler.seed
    assert build(name).seed != sampler.seed


class Listed(BaseDataset):
    """The same rows as a data set of MMEngine."""

    def load_data_list(self) -> list[dict]:
        return [dict(gt_label=label) for label in LONG_TAIL.tolist()]

    def get_cat_ids(self, idx: int) -> list[int]:
        return [self.get_data_info(idx)['gt_label']]


@every_sampler
@pytest.mark.parametrize(
    ('wrap', 'counts'),
    [
        (lambda rows: RepeatDataset(rows, 3), [120, 36, 15, 3]),
        (lambda rows: ConcatDataset([rows, Listed(indices=[0, 1, 2], serialize_data=False)]), None),
        (lambda rows: ClassBalancedDataset(rows, 1e-9), COUNTS),
        (lambda rows: Subset(rows, [*range(58), *np.flatnonzero(LONG_TAIL == 3).tolist()]), [40, 12, 5, 2]),
    ],
    ids=['repeat', 'concat', 'class balanced', 'subset'],
)
def test_classes_are_those_of_the_samples_behind_wrappers(name, wrap, counts):
    dataset = wrap(Listed(serialize_data=False))
    sampler = build(name, dataset, seed=0)
    labels = [dataset[position]['gt_label'] for position in range(len(dataset))]
    assert sampler.classes.counts.tolist() == (counts or np.bincount(labels).tolist())
    for label, images in enumerate(np.split(sampler.classes.positions, sampler.classes.counts.cumsum()[:-1])):
        assert {labels[position] for position in images} == {label}
    assert 0 <= min(sampler) <= max(sampler) < len(dataset)


class Inputs(Rows):
    """Rows as the arguments of a model."""

    def __getitem__(self, index):
        return dict(positions=index)


class Recorder(BaseModel):
    """A model of one weight that writes down which images it is shown."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.shown = []

    def forward(self, positions, mode='loss'):
        self.shown.extend(positions.tolist())
        return dict(loss=self.weight.sum())


class EpochRecorder(Hook):
    """Puts down which epochs the sampler was set to."""

    def __init__(self):
        self.epochs = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.epochs.append(runner.train_dataloader.sampler.epoch)


@every_sampler
@pytest.mark.parametrize('by_epoch', [True, False], ids=['epochs', 'iterations'])
def test_both_loops_go_through_the_orders_of_successive_epochs(name, by_epoch, tmp_path, monkeypatch):
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)  # two at each end of the loader
    recorder = EpochRecorder()
    runner = Runner(
        model=Recorder(),
        work_dir=str(tmp_path),
        train_dataloader=dict(
            dataset=Inputs(),
            sampler=dict(type=f'mmdrl.{name}', num_samples=12, **SAMPLERS[name]),
            batch_size=6,
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=3) if by_epoch else dict(by_epoch=False, max_iters=6),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=None, logger=None),
        custom_hooks=[recorder],
        randomness=dict(seed=11),
        experiment_name=f'{name}_{by_epoch}',
        default_scope='mmpretrain',
        log_level='ERROR',
    )
    runner.train()
    assert recorder.epochs == [0, 0, 1, 1, 2, 2]
    expected = build(name, seed=11, num_samples=12)
    orders = []
    for epoch in range(3):
        expected.set_epoch(epoch)
        orders += list(expected)
    assert runner.model.shown == orders


@every_sampler
def test_epoch_cut_short_by_the_loader_leaves_the_sampler_as_it_is(name):
    loader = Runner.build_dataloader(
        dict(
            dataset=Rows(),
            sampler=dict(type=f'mmdrl.{name}', **SAMPLERS[name]),
            batch_size=8,
            num_batch_per_epoch=2,
            collate_fn=dict(type='default_collate'),
        ),
        seed=11,
    )
    assert loader.sampler.classes.counts.tolist() == COUNTS
    assert list(loader.sampler) == list(build(name, seed=11))


@every_sampler
@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(num_samples=0), "num_samples must be a whole number of at least 1, 'images' or None, got 0"),
        (dict(num_samples=8.5), "num_samples must be a whole number of at least 1, 'images' or None, got 8.5"),
        (dict(num_samples='image'), "num_samples must be a whole number of at least 1, 'images' or None, got 'image'"),
        (dict(num_samples=True), "num_samples must be a whole number of at least 1, 'images' or None, got True"),
        (dict(seed=-1), 'seed must be a whole number of at least 0, got -1'),
        (dict(seed=0.5), 'seed must be a whole number of at least 0, got 0.5'),
    ],
)
def test_numbers_out_of_range_are_refused(name, arguments, message):
    with pytest.raises(ConfigError, match=message):
        build(name, **arguments)


@pytest.mark.parametrize(
    ('name', 'arguments', 'message'),
    [
        ('ClassAwareSampler', dict(samples_per_class=0), 'samples_per_class must be .* at least 1, got 0'),
        ('ClassAwareSampler', dict(samples_per_class=True), 'samples_per_class must be .* at least 1, got True'),
        ('PowerSampler', dict(power=float('nan')), 'power must be a finite number, got nan'),
        ('PowerSampler', dict(power=float('inf')), 'power must be a finite number, got inf'),
        ('PowerSampler', dict(power='sqrt'), "power must be a finite number, got 'sqrt'"),
        ('ProgressiveSampler', dict(num_epochs=0), 'num_epochs must be .* at least 1, got 0'),
        ('ProgressiveSampler', dict(begin=-1), 'begin must be .* at least 0, got -1'),
        ('EffectiveNumberSampler', dict(beta=1), r'beta must lie in \[0, 1\), got 1'),
        ('EffectiveNumberSampler', dict(beta=-0.1), r'beta must lie in \[0, 1\), got -0\.1'),
        ('EffectiveNumberSampler', dict(beta=float('nan')), 'beta must be a finite number, got nan'),
        ('BatchBalancedSampler', dict(classes_per_batch=0), 'classes_per_batch must be .* at least 1, got 0'),
        ('BatchBalancedSampler', dict(samples_per_class=0), 'samples_per_class must be .* at least 1, got 0'),
        ('BatchBalancedSampler', dict(classes_per_batch=5), '5 different classes cannot be drawn from 4'),
    ],
)
def test_settings_out_of_range_are_refused(name, arguments, message):
    with pytest.raises(ConfigError, match=message):
        build(name, **arguments)


@every_sampler
@pytest.mark.parametrize(
    ('labels', 'message'),
    [([0, 0, 2], 'Class 1 has no image'), ([], 'Class 0 has no image'), ([0, -1], 'got -1 at position 1')],
)
def test_labels_that_leave_a_class_empty_are_refused(name, labels, message):
    with pytest.raises(DataError, match=message):
        build(name, Rows(np.array(labels, dtype=int)))


@every_sampler
def test_more_processes_than_samples_are_refused(processes, name):
    assert [len(list(sampler)) for sampler in processes(name, 4, seed=0, num_samples=4)] == [1] * 4
    with pytest.raises(ConfigError, match=rf'{name} has 3 samples per epoch for 4 processes'):
        processes(name, 4, seed=0, num_samples=3)


@every_sampler
def test_one_class_of_one_image_can_be_drawn(name):
    arguments = dict(classes_per_batch=1) if name == 'BatchBalancedSampler' else {}
    assert list(build(name, Rows([0]), num_samples=5, **arguments)) == [0] * 5


def test_labels_beyond_16_bits_are_grouped_right():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(70_000), 2))
    sampler = build('ClassAwareSampler', Rows(labels), num_samples=280_000, seed=0)
    assert_array_equal(labels[sampler.classes.positions], np.repeat(np.arange(70_000), 2))
    assert_array_equal(np.bincount(sampler.global_order()), np.full(140_000, 2))
    sampler = build('BatchBalancedSampler', Rows(labels), samples_per_class=3, num_samples=420_000, seed=0)
    assert_array_equal(np.bincount(sampler.global_order()), np.full(140_000, 3))
