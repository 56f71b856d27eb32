"""ArrayDataset: what it reads and maps, and what it refuses."""

import contextlib
import copy
import itertools
import logging
import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from command import run
from mmengine.logging import MMLogger
from numpy.testing import assert_array_equal
from torch.utils.data import DataLoader

from mmdrl.datasets import ArrayDataset
from mmdrl.datasets.arrays.mapped_images import MappedImages
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        'images': generator.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8),
        'labels': np.array([2, 0, 1, 1, 0, 2]),
    }


@pytest.fixture
def save(tmp_path):
    def save(**arrays) -> str:
        np.savez(tmp_path / 'data.npz', **arrays)
        return str(tmp_path / 'data.npz')

    return save


def test_a_sample_holds_its_image_label_and_position(arrays, save):
    dataset = ArrayDataset(save(**arrays))
    assert len(dataset) == 6
    for position in range(6):
        sample = dataset[position]
        assert_array_equal(sample['img'], arrays['images'][position])
        assert sample['gt_label'] == arrays['labels'][position]
        assert sample['sample_idx'] == position


def test_labels_come_without_loading_samples_one_by_one(arrays, save):
    dataset = ArrayDataset(save(**arrays))
    assert_array_equal(dataset.get_gt_labels(), arrays['labels'])
    assert [dataset.get_cat_ids(position) for position in range(6)] == [[2], [0], [1], [1], [0], [2]]


def test_images_without_channels_get_one(arrays, save):
    grey = arrays['images'][..., 0]
    dataset = ArrayDataset(save(images=grey, labels=arrays['labels']))
    assert_array_equal(dataset[3]['img'], grey[3][:, :, np.newaxis])


def test_changing_a_sample_in_place_leaves_the_data_as_they_are(arrays, save):
    dataset = ArrayDataset(save(**arrays))
    dataset[0]['img'][:] = 0
    assert_array_equal(dataset[0]['img'], arrays['images'][0])


def test_relative_file_is_looked_for_in_data_root(arrays, save, tmp_path):
    save(**arrays)
    assert len(ArrayDataset('data.npz', data_root=str(tmp_path))) == 6


def test_absolute_file_ignores_data_root(arrays, save):
    assert len(ArrayDataset(save(**arrays), data_root='elsewhere')) == 6


def test_class_names_of_the_file_become_classes(arrays, save):
    dataset = ArrayDataset(save(**arrays, class_names=np.array(['ant', 'bee', 'cat'])))
    assert dataset.metainfo['classes'] == ('ant', 'bee', 'cat')


def test_class_names_of_the_config_go_before_those_of_the_file(arrays, save):
    file = save(**arrays, class_names=np.array(['ant', 'bee', 'cat']))
    assert ArrayDataset(file, classes=['a', 'b', 'c']).metainfo['classes'] == ('a', 'b', 'c')


def test_config_builds_it_with_a_pipeline_of_mmpretrain(arrays, save):
    dataset = DATASETS.build(
        dict(type='mmdrl.ArrayDataset', data_file=save(**arrays), pipeline=[dict(type='PackInputs')])
    )
    packed = dataset[1]
    assert_array_equal(packed['inputs'].numpy(), arrays['images'][1].transpose(2, 0, 1))
    assert packed['data_samples'].gt_label.tolist() == [0]


def test_lazy_init_reads_nothing_yet():
    assert len(ArrayDataset('missing.npz', lazy_init=True, classes=['a', 'b']).metainfo['classes']) == 2


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r'no data file .*none\.npz'):
        ArrayDataset('none.npz', data_root=str(tmp_path))


@pytest.mark.parametrize('key', ['images', 'labels'])
def test_missing_array_is_named(arrays, save, key):
    del arrays[key]
    with pytest.raises(DataError, match=f"must hold an array '{key}'"):
        ArrayDataset(save(**arrays))


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('images', np.zeros((6, 5, 4, 3), np.float32), "'images' .* must be uint8 .* got float32"),
        ('images', np.zeros((6, 60), np.uint8), r"'images' .* must be uint8 .* shape \(6, 60\)"),
        ('labels', np.zeros(6), "'labels' .* must be integers .* got float64"),
        ('labels', np.zeros((6, 1), int), r"'labels' .* shape \(6, 1\)"),
        ('labels', np.zeros(5, int), '6 images and 5 labels'),
        ('labels', np.array([0, 1, -1, 2, -4, 0]), 'at least 0, got -1 at position 2'),
        ('class_names', np.array(['a', 'b']), r'in \[0, 2\), got 2 at position 0'),
        ('class_names', np.array([1, 2, 3]), "'class_names' .* must be strings"),
        ('index', np.array([7, 3, 9, 3, 1, 0]), r"'index' .* different positions .* got 3 2 times \(1 repeated"),
        ('index', np.array([7, 3, -9, 2, 1, 0]), r"'index' .* at least 0, got -9 .*1 below 0"),
        ('index', np.arange(6.0), "'index' .* must be integers .* got float64"),
        ('index', np.arange(5), "'index' .* one number per image, got 6 images and 5 index"),
        ('present', np.ones(6, int), "'present' .* True or False for each of 6 images, .* got int64"),
        ('present', np.ones(5, bool), r"'present' .* got bool of shape \(5,\)"),
        ('present', np.zeros(6, bool), r"'present' .* True for one at least, .* with 0 that are"),
    ],
)
def test_wrong_array_is_refused(arrays, save, key, value, message):
    arrays[key] = value
    with pytest.raises(DataError, match=message):
        ArrayDataset(save(**arrays))


def test_images_that_a_file_of_a_part_lacks_are_refused(arrays, save):
    dataset = ArrayDataset(save(**arrays, present=np.arange(6) > 1))
    assert_array_equal(dataset[2]['img'], arrays['images'][2])
    assert_array_equal(dataset.get_gt_labels(), arrays['labels'])
    with pytest.raises(DataError, match=r'images of 4 of its 6 rows: .* got 1 '):
        dataset[1]
    with pytest.raises(DataError, match=r'got 0 '):
        dataset.get_subset([3, 0])[1]


def test_empty_set_is_refused(save):
    with pytest.raises(DataError, match='at least one image'):
        ArrayDataset(save(images=np.zeros((0, 5, 4, 3), np.uint8), labels=np.zeros(0, int)))


class Trap:
    """An object that tells when it is unpickled."""

    sprung = False

    def __setstate__(self, state):
        Trap.sprung = True

    def __getstate__(self):
        return {'anything': 1}


def test_object_arrays_are_refused_and_never_unpickled(arrays, save):
    arrays['labels'] = np.array([Trap()] * 6, dtype=object)
    file = save(**arrays)
    with pytest.raises(DataError, match='Object arrays and pickles are refused'):
        ArrayDataset(file)
    assert not Trap.sprung
    np.load(file, allow_pickle=True)['labels']
    assert Trap.sprung  # the file would have sprung it


@pytest.mark.parametrize('content', [b'', b'no archive', pickle.dumps([1, 2])])
def test_file_of_another_kind_is_refused(tmp_path, content):
    file = tmp_path / 'data.npz'
    file.write_bytes(content)
    with pytest.raises(DataError, match=r'cannot be read as an \.npz'):
        ArrayDataset(str(file))


def test_single_array_in_place_of_an_archive_is_refused(tmp_path):
    with (tmp_path / 'data.npz').open('wb') as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match='holds a single array'):
        ArrayDataset(str(tmp_path / 'data.npz'))


def test_truncated_file_is_refused(arrays, tmp_path):
    np.savez_compressed(tmp_path / 'data.npz', **arrays)
    content = bytearray((tmp_path / 'data.npz').read_bytes())
    content[60:140] = bytes(80)  # inside the compressed images; the directory at the end stays whole
    (tmp_path / 'data.npz').write_bytes(content)
    with pytest.raises(DataError, match='cannot be read'):
        ArrayDataset(str(tmp_path / 'data.npz'))


SAVES = {
    'npz': lambda path, images, labels: np.savez(path, images=images, labels=labels),
    'compressed': lambda path, images, labels: np.savez_compressed(path, images=images, labels=labels),
    'columns first': lambda path, images, labels: np.savez(path, images=np.asfortranarray(images), labels=labels),
    'large member': lambda path, images, labels: write_zip64(path, images, labels),
}


def write_zip64(path, images, labels) -> None:
    """An archive with the extra field that members above 4 GiB have, and a name before the images."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a note.txt', 'odd number of bytes')
        for key, array in (('images', images), ('labels', labels)):
            with archive.open(f'{key}.npy', 'w', force_zip64=True) as member:
                np.lib.format.write_array(member, array)


@pytest.mark.parametrize('kind', SAVES)
@pytest.mark.parametrize('has_channels', [True, False])
def test_images_are_the_same_however_they_were_saved(arrays, tmp_path, kind, has_channels):
    images = arrays['images'] if has_channels else arrays['images'][..., 0]
    SAVES[kind](tmp_path / 'data.npz', images, arrays['labels'])
    dataset = ArrayDataset(str(tmp_path / 'data.npz'))
    found = np.stack([dataset[position]['img'] for position in range(6)])
    assert_array_equal(found, images.reshape(6, 5, 4, -1))
    assert isinstance(dataset._columns['img'], MappedImages) == (kind != 'compressed')


@pytest.mark.parametrize('order', ['C', 'F'])
def test_npy_has_its_labels_beside_it(arrays, tmp_path, order):
    np.save(tmp_path / 'x.npy', np.asarray(arrays['images'], order=order))
    np.save(tmp_path / 'y.npy', arrays['labels'])
    dataset = ArrayDataset('x.npy', data_root=str(tmp_path), labels_file='y.npy')
    assert_array_equal(dataset[4]['img'], arrays['images'][4])
    assert_array_equal(dataset.get_gt_labels(), arrays['labels'])
    assert dataset.index is None


def test_image_is_a_plain_array_of_the_pipelines_own(arrays, save):
    image = ArrayDataset(save(**arrays))[2]['img']
    assert type(image) is np.ndarray
    assert image.flags.writeable
    assert image.flags.owndata
    assert image.flags.c_contiguous


def test_index_follows_the_samples(arrays, save):
    index = np.array([40, 7, 9, 3, 1, 0], dtype=np.uint16)
    dataset = ArrayDataset(save(**arrays, index=index), indices=[5, 1])
    assert dataset.index.tolist() == [0, 7]
    assert dataset.index.dtype == np.int64


def test_compressed_file_says_that_it_cannot_be_shared(arrays, tmp_path):
    np.savez_compressed(tmp_path / 'data.npz', **arrays)
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        ArrayDataset(str(tmp_path / 'data.npz'))
    finally:
        logger.removeHandler(handler)
    assert any('saved with numpy.savez' in record.getMessage() for record in records)


def test_copies_hold_no_pixels(save):
    images = np.random.default_rng(0).integers(0, 256, (500, 32, 32, 3), dtype=np.uint8)  # 1.5 MB
    dataset = ArrayDataset(save(images=images, labels=np.zeros(500, int)))
    content = pickle.dumps(dataset)
    assert len(content) < 20_000
    again = pickle.loads(content)
    assert_array_equal(again[123]['img'], images[123])
    assert copy.deepcopy(dataset)._columns['img'] is dataset._columns['img']


def test_relative_file_is_found_again_from_another_folder(arrays, save, tmp_path, monkeypatch):
    save(**arrays)
    monkeypatch.chdir(tmp_path)
    content = pickle.dumps(ArrayDataset('data.npz'))
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')
    assert_array_equal(pickle.loads(content)[3]['img'], arrays['images'][3])


def test_file_replaced_behind_an_open_set_is_kept_by_it_and_refused_by_a_new_worker(arrays, save, tmp_path):
    file = save(**arrays)
    dataset = ArrayDataset(file)
    content = pickle.dumps(dataset)
    np.savez(tmp_path / 'new.npz', images=arrays['images'][:5], labels=arrays['labels'][:5])
    os.replace(tmp_path / 'new.npz', file)
    assert_array_equal(dataset[5]['img'], arrays['images'][5])
    with pytest.raises(DataError, match=r'data\.npz was replaced or removed'):
        pickle.loads(content)[0]
    os.remove(file)
    with pytest.raises(DataError, match=r'data\.npz was replaced or removed'):
        pickle.loads(content)[0]


@pytest.mark.slow
def test_file_replaced_between_two_epochs_ends_a_spawned_loader_in_a_sentence(arrays, save, tmp_path):
    file = save(**arrays)
    loader = DataLoader(
        ArrayDataset(file), batch_size=6, num_workers=1, multiprocessing_context='spawn', collate_fn=list
    )
    assert len(next(iter(loader))) == 6
    np.savez(tmp_path / 'new.npz', **arrays)
    os.replace(tmp_path / 'new.npz', file)
    with pytest.raises(DataError, match=r'^\S*data\.npz was replaced or removed [^\n]*$'):
        next(iter(loader))


def test_npy_without_labels_and_npz_with_two_are_refused(arrays, save, tmp_path):
    np.save(tmp_path / 'x.npy', arrays['images'])
    with pytest.raises(ConfigError, match='give labels_file'):
        ArrayDataset(str(tmp_path / 'x.npy'))
    with pytest.raises(ConfigError, match='labels_file is for a'):
        ArrayDataset(save(**arrays), labels_file='y.npy')
    with pytest.raises(DataError, match=r'no data file .*y\.npy'):
        ArrayDataset('x.npy', data_root=str(tmp_path), labels_file='y.npy')


@pytest.mark.parametrize('kept', [0, 5, 60, 120, 200])
def test_truncated_npy_is_refused(arrays, tmp_path, kept):
    np.save(tmp_path / 'x.npy', arrays['images'])
    np.save(tmp_path / 'y.npy', arrays['labels'])
    (tmp_path / 'x.npy').write_bytes((tmp_path / 'x.npy').read_bytes()[:kept])
    with pytest.raises(DataError, match=r'x\.npy'):
        ArrayDataset('x.npy', data_root=str(tmp_path), labels_file='y.npy')


@pytest.mark.parametrize('name', ['x.npy', 'y.npy'])
def test_npy_with_a_damaged_header_is_refused_or_reads(arrays, tmp_path, name):
    """A number in the header may be another one that fits, and nothing can tell."""
    np.save(tmp_path / 'x.npy', arrays['images'])
    np.save(tmp_path / 'y.npy', arrays['labels'])
    content = (tmp_path / name).read_bytes()
    for place, bit in itertools.product(range(128), range(8)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        (tmp_path / name).write_bytes(damaged)
        with contextlib.suppress(DataError):
            ArrayDataset('x.npy', data_root=str(tmp_path), labels_file='y.npy')


def test_labels_file_of_several_arrays_is_refused(arrays, save, tmp_path):
    np.save(tmp_path / 'x.npy', arrays['images'])
    with pytest.raises(DataError, match=r'labels_file must be a \.npy of labels, but .*data\.npz'):
        ArrayDataset(str(tmp_path / 'x.npy'), labels_file=save(**arrays))


def test_archive_marked_as_encrypted_is_refused(arrays, save):
    file = Path(save(**arrays))
    content = bytearray(file.read_bytes())
    content[content.index(b'PK\x01\x02') + 8] |= 1  # the flags of the first member in the directory
    file.write_bytes(content)
    with pytest.raises(DataError, match='cannot be read'):
        ArrayDataset(str(file))


def test_member_that_is_no_array_is_refused(arrays, tmp_path):
    with zipfile.ZipFile(tmp_path / 'x.npz', 'w') as archive:
        for key in arrays:
            archive.writestr(key, b'text')
    with pytest.raises(DataError, match='cannot be read'):
        ArrayDataset(str(tmp_path / 'x.npz'))


def test_archive_cut_anywhere_is_refused(arrays, save):
    file = save(**arrays)
    content = Path(file).read_bytes()
    for kept in range(0, len(content), 37):
        Path(file).write_bytes(content[:kept])
        with pytest.raises(DataError, match='cannot be read'):
            ArrayDataset(file)


def test_archive_with_a_changed_byte_anywhere_is_refused_or_reads_the_same(arrays, save):
    """Some bytes, such as the time of a member, mean nothing to the arrays."""
    file = save(**arrays)
    content = Path(file).read_bytes()
    refused = 0
    for place in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[place] ^= 0x55
        Path(file).write_bytes(damaged)
        try:
            dataset = ArrayDataset(file)
        except DataError:
            refused += 1
            continue
        assert_array_equal(np.stack([dataset[position]['img'] for position in range(6)]), arrays['images'])
        assert_array_equal(dataset.get_gt_labels(), arrays['labels'])
    assert refused > len(content) / 5 / 2


@pytest.mark.parametrize('place', [0.1, 0.5, 0.9])
def test_changed_pixel_of_many_is_refused(save, place):
    images = np.zeros((100, 32, 32, 3), np.uint8)
    file = save(images=images, labels=np.zeros(100, int))
    content = bytearray(Path(file).read_bytes())
    content[int(len(content) * place)] ^= 1
    Path(file).write_bytes(content)
    with pytest.raises(DataError, match=r'cannot be read.*CRC'):
        ArrayDataset(file)


def test_member_shorter_than_its_header_says_is_refused(arrays, tmp_path):
    """A sound archive, checksums and all, around an array that was cut before it was packed."""
    for key, array in arrays.items():
        np.save(tmp_path / f'{key}.npy', array)
    with zipfile.ZipFile(tmp_path / 'data.npz', 'w') as archive:
        archive.writestr('images.npy', (tmp_path / 'images.npy').read_bytes()[:-10])
        archive.write(tmp_path / 'labels.npy', 'labels.npy')
    with pytest.raises(DataError, match="'images' is truncated"):
        ArrayDataset(str(tmp_path / 'data.npz'))


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
@pytest.mark.parametrize('start_method', ['fork', 'spawn'])
def test_workers_share_the_images(tmp_path, start_method):
    """All of 64 MiB costs no worker memory of its own; of what cannot be mapped a spawned worker has a copy."""
    worker = Path(__file__).parents[1] / 'worker_shared_images.py'
    answer = run(sys.executable, '-W', 'ignore', worker, start_method, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    mapped, packed = (
        [float(number) for number in line.split()[1:]]
        for line in answer.stdout.splitlines()
        if line.startswith(('mapped', 'packed'))
    )
    assert len(mapped) == 2
    assert max(mapped) < 8  # MiB
    assert start_method == 'fork' or min(packed) > 60  # the same measure does see a copy
