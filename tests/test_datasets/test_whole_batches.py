"""Whole batches: what the pipeline gives image by image, without going through it."""

import copy
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, DefaultSampler, RepeatDataset, default_collate, pseudo_collate
from mmengine.registry import FUNCTIONS
from mmengine.runner.runner import _SlicedDataset
from mmpretrain.datasets import KFoldDataset
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader, Subset

from mmdrl.batch_samples import BatchSamples
from mmdrl.datasets import ArrayDataset, BalancedMixup, Digits, LongTailDataset, collate_images
from mmdrl.datasets.batches import ImageBatch
from mmdrl.datasets.batches.unchanged_by import is_unchanged_by
from mmdrl.engine.clean_set import with_pipeline
from mmdrl.engine.dataset_copies import copied
from mmdrl.engine.loops import image_seeds
from mmdrl.engine.loops.image_seeds import SeedingBatch, seed_images
from mmdrl.engine.loops.order import rest_of_pass
from mmdrl.errors import DataError

PACK = [dict(type='PackInputs')]
TEST = [dict(type='ResizeEdge', scale=5), dict(type='CenterCrop', crop_size=(5, 6)), *PACK]  # leave a 6x5 as it is
IMAGES = 40


@pytest.fixture(scope='module', params=['npz', 'npy', 'grey', 'compressed'])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Forty images of 6x5 pixels in four classes, as arguments of ArrayDataset."""
    folder = tmp_path_factory.mktemp('images')
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (IMAGES, 6, 5, 3), dtype=np.uint8)
    labels = np.repeat(np.arange(4, dtype=np.uint8), 10)
    if request.param == 'npy':
        np.save(folder / 'i.npy', np.asfortranarray(images))
        np.save(folder / 'l.npy', labels)
        return dict(data_file=str(folder / 'i.npy'), labels_file=str(folder / 'l.npy'))
    save = np.savez_compressed if request.param == 'compressed' else np.savez
    save(folder / 'a.npz', images=images[..., 0] if request.param == 'grey' else images, labels=labels)
    return dict(data_file=str(folder / 'a.npz'))


@pytest.fixture(scope='module')
def colour(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp('images') / 'a.npz'
    images = np.random.default_rng(2).integers(0, 256, (IMAGES, 6, 5, 3), dtype=np.uint8)
    np.savez(path, images=images, labels=np.repeat(np.arange(4), 10))
    return dict(data_file=str(path))


def fetched(dataset: Any, positions: Any) -> ImageBatch:
    found = dataset.__getitems__(positions)
    assert isinstance(found, ImageBatch)
    return found


def assert_as_one_by_one(dataset: Any, positions: Any) -> None:
    """The oracle is the data set's own ``__getitem__``, which knows nothing of batches."""
    expected = [dataset[position] for position in positions]
    batch = collate_images(fetched(dataset, positions))
    inputs, samples = batch['inputs'], batch['data_samples']
    assert inputs.dtype == torch.uint8
    assert torch.equal(inputs, torch.stack([sample['inputs'] for sample in expected]))
    assert samples.labels.dtype == samples.sample_idx.dtype == torch.int64
    assert samples.labels.tolist() == [sample['data_samples'].gt_label.item() for sample in expected]
    assert samples.sample_idx.tolist() == [sample['data_samples'].sample_idx for sample in expected]
    for collate in (pseudo_collate, list):
        assert_same_data(collate(fetched(dataset, positions)), collate(expected))


def assert_same_data(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(found, dict):
        assert found.keys() == expected.keys()
        found, expected = list(found.values()), list(expected.values())
    if isinstance(found, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same_data(one, other)
    elif isinstance(found, DataSample):
        assert found.metainfo == expected.metainfo
        assert_same_data(dict(found.items()), dict(expected.items()))
    else:
        assert torch.equal(found, expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize('order', ['rgb', 'bgr'])
@pytest.mark.parametrize('pipeline', [PACK, TEST], ids=['train', 'test'])
@pytest.mark.parametrize('test_mode', [False, True])
def test_batch_is_what_the_pipeline_gives(files: dict, order: Any, pipeline: list, test_mode: bool) -> None:
    dataset = ArrayDataset(**files, channel_order=order, pipeline=pipeline, test_mode=test_mode)
    for positions in ([3, 39, 0, 3], list(range(IMAGES)), [np.int64(7)], [-1, -40, 5]):
        assert_as_one_by_one(dataset, positions)
    assert_as_one_by_one(LongTailDataset(dataset, imbalance_ratio=4), [5, 0, 5, -2])


@pytest.mark.host
def test_batch_of_a_nested_long_tail_of_a_subset(colour: dict) -> None:
    dataset = ArrayDataset(**colour, indices=38, channel_order='bgr', pipeline=TEST).get_subset(range(37, -1, -1))
    inner = LongTailDataset(dataset, imbalance_ratio=2, holdout_per_class=2)
    outer = LongTailDataset(inner, imbalance_ratio=3, seed=4)
    for part in (dataset, inner, outer, outer.get_subset([4, 2, 3]), copy.copy(outer)):
        assert_as_one_by_one(part, list(range(len(part))))
    assert_as_one_by_one(pickle.loads(pickle.dumps(outer)), [1, 0])


def test_digits_come_whole_and_lie_in_memory_as_stacked_ones_do() -> None:
    """Of one channel, strides decide which way a convolution is computed, and so on its last digits."""
    assert_as_one_by_one(Digits(pipeline=PACK), [1796, 3, 3])
    assert collate_images(fetched(Digits(pipeline=PACK), [5, 6]))['inputs'].stride() == (64, 64, 8, 1)


@pytest.mark.parametrize(
    ('steps', 'is_whole'),
    [
        ([], True),
        ([dict(type='ResizeEdge', scale=5)], True),
        ([dict(type='ResizeEdge', scale=5, backend='pillow', interpolation='bicubic')], True),
        ([dict(type='ResizeEdge', scale=6, edge='long')], True),
        ([dict(type='ResizeEdge', scale=5, edge='width')], True),
        ([dict(type='ResizeEdge', scale=6, edge='height')], True),
        ([dict(type='Resize', scale=(5, 6))], True),
        ([dict(type='Resize', scale=(5, 6), keep_ratio=True)], True),
        ([dict(type='CenterCrop', crop_size=(5, 6))], True),
        ([dict(type='ResizeEdge', scale=6)], False),
        ([dict(type='ResizeEdge', scale=5, edge='long')], False),
        ([dict(type='ResizeEdge', scale=6, edge='width')], False),
        ([dict(type='ResizeEdge', scale=5, edge='height')], False),
        ([dict(type='Resize', scale=(6, 5))], False),
        ([dict(type='Resize', scale_factor=1.0)], False),
        ([dict(type='CenterCrop', crop_size=5)], False),
        ([dict(type='CenterCrop', crop_size=(6, 5))], False),
        ([dict(type='RandomCrop', crop_size=6, padding=1)], False),
        ([dict(type='RandomFlip', prob=0.0)], False),  # writes into the sample what it did
        ([dict(type='mmdrl.SquareCutout', length=2)], False),
        ([dict(type='ResizeEdge', scale=5), dict(type='ColorJitter', brightness=0.5)], False),
    ],
    ids=str,
)
def test_batches_are_whole_where_nothing_is_done_to_an_image(colour: dict, steps: list, is_whole: bool) -> None:
    dataset = ArrayDataset(**colour, pipeline=[*steps, *PACK])
    assert is_unchanged_by(dataset.pipeline, 6, 5) is is_whole
    assert dataset.gives_batches() is LongTailDataset(dataset, 2).gives_batches() is is_whole
    assert bool(dataset.__getitems__) is is_whole
    if is_whole:
        assert_as_one_by_one(dataset, [0, 9])


@pytest.mark.parametrize(
    'pipeline',
    [
        [dict(type='PackInputs', meta_keys=('sample_idx',))],
        [dict(type='PackInputs', algorithm_keys=('img',))],
        [dict(type='PackInputs', input_key='image')],
        [*PACK, lambda data: data],
        [],
    ],
    ids=['few meta keys', 'algorithm keys', 'another input', 'something behind', 'nothing'],
)
def test_batches_are_whole_only_if_packed_as_usual(colour: dict, pipeline: list) -> None:
    assert not ArrayDataset(**colour, pipeline=pipeline).gives_batches()


def test_grey_image_that_pillow_refuses_is_still_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / 'a.npz', images=np.zeros((4, 5, 5), np.uint8), labels=np.arange(4))
    steps = [dict(type='ResizeEdge', scale=5, backend='pillow'), *PACK]
    dataset = ArrayDataset(str(tmp_path / 'a.npz'), pipeline=steps)
    assert not dataset.gives_batches()
    with pytest.raises(TypeError, match='data type'):
        dataset[0]


def test_pipeline_is_looked_at_whenever_it_changes(colour: dict) -> None:
    dataset = LongTailDataset(ArrayDataset(**colour, pipeline=PACK), imbalance_ratio=2)
    other = with_pipeline(dataset, ArrayDataset(**colour, pipeline=[dict(type='RandomFlip', prob=0.5), *PACK]).pipeline)
    assert dataset.gives_batches()
    assert not other.gives_batches()
    assert_as_one_by_one(with_pipeline(dataset, ArrayDataset(**colour, pipeline=TEST).pipeline), [0, 3])
    resized = ArrayDataset(**colour, pipeline=[TEST[0], *PACK])
    assert resized.gives_batches()
    resized.pipeline = ArrayDataset(**colour, pipeline=[TEST[1], *PACK]).pipeline
    assert_as_one_by_one(resized, [1, 2])
    dataset.dataset.pipeline.transforms.insert(0, lambda data: {**data, 'img': data['img'] // 2})
    assert not dataset.gives_batches()


class Halved(ArrayDataset):
    def get_data_info(self, idx: int) -> dict[str, Any]:
        info = super().get_data_info(idx)
        return {**info, 'img': info['img'] // 2} if idx else info  # the first image tells nothing


class Tagged(ArrayDataset):
    def load_columns(self) -> dict[str, Any]:
        columns = super().load_columns()
        return {**columns, 'flip': columns['gt_label']}


class Last(LongTailDataset):
    def __getitem__(self, index: int) -> Any:
        return super().__getitem__(-1)


def folds(colour: dict) -> KFoldDataset:
    return KFoldDataset(dict(type='mmdrl.ArrayDataset', **colour, pipeline=PACK), num_splits=4, seed=0)


def test_data_sets_with_ways_of_their_own_are_asked_image_by_image(colour: dict) -> None:
    for dataset in (
        Halved(**colour, pipeline=PACK),
        Tagged(**colour, pipeline=PACK),
        Last(ArrayDataset(**colour, pipeline=PACK), 2),
        LongTailDataset(folds(colour), 2),
        LongTailDataset(Subset(ArrayDataset(**colour, pipeline=PACK), range(IMAGES)), 2),
    ):
        assert dataset.__getitems__ is None
        batch = next(iter(DataLoader(dataset, batch_size=4, collate_fn=collate_images)))
        expected = [dataset[position] for position in range(4)]
        assert torch.equal(batch['inputs'], torch.stack([sample['inputs'] for sample in expected]))


@pytest.mark.parametrize('collate', [collate_images, pseudo_collate])
def test_wrappers_give_the_same_samples(colour: dict, collate: Callable[[Any], Any]) -> None:
    dataset = ArrayDataset(**colour, pipeline=PACK)
    wrapped = [
        _SlicedDataset(dataset, 8),
        Subset(dataset, [5, 6, 7]),
        RepeatDataset(dataset, 2),
        ConcatDataset([dataset, dataset]),
        folds(colour),
        BalancedMixup(dataset, alpha=1.0),
        copied(BalancedMixup(dataset, alpha=1.0), lambda part: vars(part).update(is_mixing=False)),
    ]
    for each in wrapped:
        batches = list(DataLoader(each, batch_size=3, collate_fn=collate))
        assert sum(len(batch['data_samples']) for batch in batches) == len(each)
        if getattr(each, 'is_mixing', False):
            assert 'gt_score' in batches[0]['data_samples'][0]
            assert 'gt_label' not in batches[0]['data_samples'][0]
            continue
        samples = [sample for batch in batches for sample in batch['data_samples']]
        inputs = [image for batch in batches for image in batch['inputs']]
        for position, (sample, image) in enumerate(zip(samples, inputs, strict=True)):
            expected = each[position]
            assert torch.equal(image, expected['inputs'])
            assert sample.sample_idx == expected['data_samples'].sample_idx
            assert torch.equal(sample.gt_label, expected['data_samples'].gt_label)


def test_positions_outside_are_refused(colour: dict) -> None:
    for dataset in (ArrayDataset(**colour, pipeline=PACK), LongTailDataset(ArrayDataset(**colour, pipeline=PACK), 1)):
        for position in (IMAGES, -IMAGES - 1):
            with pytest.raises(IndexError, match=f'data set of {IMAGES} images'):
                fetched(dataset, [0, position])


def test_changing_a_batch_leaves_the_data_as_they_are(colour: dict) -> None:
    dataset = ArrayDataset(**colour, pipeline=PACK)
    before = dataset[3]['inputs'].clone()
    for batch in (collate_images(fetched(dataset, [3])), fetched(dataset, [3])[0]):
        batch['inputs'].zero_()
    assert torch.equal(dataset[3]['inputs'], before)


def test_ordinary_sample_brings_nothing_of_the_batch_along(colour: dict) -> None:
    batch = fetched(Digits(pipeline=PACK), list(range(100)))
    assert len(pickle.dumps(batch[5]['inputs'])) < 600  # 64 pixels, and what torch says of them
    assert default_collate(batch)['inputs'].shape == (100, 1, 8, 8)


def test_no_sample_is_made_on_the_way(colour: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = LongTailDataset(ArrayDataset(**colour, pipeline=PACK), imbalance_ratio=2)
    assert dataset.gives_batches()  # for which one image went through the pipeline
    monkeypatch.setattr(DataSample, '__init__', pytest.fail)
    batches = list(DataLoader(dataset, batch_size=8, collate_fn=collate_images))
    assert sum(len(batch['data_samples']) for batch in batches) == len(dataset)


# --- seeds -----------------------------------------------------------------------------------------------------------


def seeded_loader(dataset: Any, **settings: Any) -> DataLoader:
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(1)).tolist()
    return DataLoader(dataset, sampler=order, collate_fn=collate_images, **{'batch_size': 4, **settings})


def rows(loader: DataLoader, epoch: int = 0) -> list[tuple[int, ...]]:
    seed_images(loader, 5, epoch)
    return list(iterated(loader))


def iterated(loader: Any) -> Iterator[tuple[int, ...]]:
    for batch in loader:
        samples = batch['data_samples']
        pixels = batch['inputs'].long().sum((1, 2, 3)).tolist()
        yield from zip(
            samples.seeds.tolist(), samples.sample_idx.tolist(), samples.labels.tolist(), pixels, strict=True
        )


@pytest.fixture
def dataset(colour: dict) -> LongTailDataset:
    return LongTailDataset(ArrayDataset(**colour, pipeline=PACK), imbalance_ratio=2)


def test_seeds_are_the_numbers_that_images_are_seeded_with() -> None:
    for key, first, step in ((1234567, 0, 1), (2**64 - 1, 2**40, 7)):
        batch = SeedingBatch(range(50), key, first, step)
        seeds = batch.image_seeds()
        assert seeds.dtype == np.int64
        drawn = []
        for _, seed in zip(batch, seeds.tolist(), strict=True):  # going through it seeds the generators
            assert random.random() == random.Random(seed % 2**64).random()
            assert np.random.rand() == np.random.RandomState(seed % 2**32).rand()
            drawn.append(seed)
        assert len(set(drawn)) == 50


def test_seeds_do_not_depend_on_workers_batches_or_where_a_pass_begins(dataset: LongTailDataset) -> None:
    expected = rows(seeded_loader(dataset))
    assert len({row[0] for row in expected}) == len(dataset)
    with_workers = seeded_loader(dataset, num_workers=2, persistent_workers=True)
    assert rows(with_workers) == expected
    assert rows(with_workers, epoch=1) == rows(seeded_loader(dataset), epoch=1) != expected
    assert rows(seeded_loader(dataset, batch_size=7)) == expected
    resumed = seeded_loader(dataset)
    seed_images(resumed, 5, 0)
    assert list(iterated(rest_of_pass(resumed, 3))) == expected[12:]


def test_processes_share_one_order(dataset: LongTailDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rows(seeded_loader(dataset))
    order = list(seeded_loader(dataset).sampler)
    for rank in range(2):
        monkeypatch.setattr(image_seeds, 'get_dist_info', lambda rank=rank: (rank, 2))
        share = DataLoader(dataset, sampler=order[rank::2], batch_size=2, collate_fn=collate_images)
        assert rows(share) == expected[rank::2]


def test_generators_are_left_alone(dataset: LongTailDataset) -> None:
    """Nothing is drawn, so what follows in the training process is as it was."""
    loader = seeded_loader(dataset)
    seed_images(loader, 0, 0)
    iterator = iter(loader)
    random.seed(1)
    states = random.getstate(), torch.get_rng_state().tolist()
    next(iterator)
    assert (random.getstate(), torch.get_rng_state().tolist()) == states


def test_loader_without_seeds_gives_none(dataset: LongTailDataset) -> None:
    sampler = DefaultSampler(dataset, shuffle=False)
    batch = next(iter(DataLoader(dataset, sampler=sampler, batch_size=3, collate_fn=collate_images)))
    assert batch['data_samples'].seeds is None


# --- collate_images on ordinary samples -----------------------------------------------------------------------------


def sample(label: Any = 1, size: int = 4, **metainfo: Any) -> dict[str, Any]:
    data_sample = DataSample(metainfo=metainfo)
    return {
        'inputs': torch.full((3, size, size), 7, dtype=torch.uint8),
        'data_samples': data_sample if label is None else data_sample.set_gt_label(label),
    }


def test_ordinary_samples_are_stacked() -> None:
    batch = collate_images([sample(2, sample_idx=8), sample(0, sample_idx=np.int64(3))])  # as from KFoldDataset
    samples = batch['data_samples']
    assert batch['inputs'].shape == (2, 3, 4, 4)
    assert (samples.labels.tolist(), samples.sample_idx.tolist(), samples.seeds) == ([2, 0], [8, 3], None)
    named = collate_images([sample(2, img_path='a.png'), sample(0, img_path='b.png')])['data_samples']
    assert isinstance(named, BatchSamples)
    assert [each.img_path for each in pickle.loads(pickle.dumps(named))] == ['a.png', 'b.png']


def test_soft_labels_are_stacked() -> None:
    scored = [{**sample(None), 'data_samples': DataSample().set_gt_score([0.5, 0.5])} for _ in range(3)]
    samples = collate_images(scored)['data_samples']
    assert samples.labels is None
    assert torch.equal(samples.scores, torch.full((3, 2), 0.5))


def test_what_is_no_single_label_or_size_is_left_to_the_preprocessor() -> None:
    batch = collate_images([sample([1, 2]), sample([0], size=6)])
    assert isinstance(batch['inputs'], list)
    assert isinstance(batch['data_samples'], list)
    assert isinstance(collate_images([sample(None)])['data_samples'], list)


@pytest.mark.parametrize('batch', [[], [(1, 2)], [{'img': 1}], [torch.zeros(3)]])
def test_other_samples_end_in_a_sentence(batch: list) -> None:
    with pytest.raises(DataError, match='PackInputs'):
        collate_images(batch)


def test_config_names_the_function_also_when_it_is_inherited() -> None:
    """``build_dataloader`` hands all other keys of the dict on, that of the scope too."""
    assert FUNCTIONS.get('mmdrl.collate_images') is collate_images
    assert collate_images([sample()], _scope_='mmdrl')['inputs'].shape == (1, 3, 4, 4)
