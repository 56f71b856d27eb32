"""ArrayDataset: what it reads, and what it refuses."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mmdrl.datasets import ArrayDataset
from mmdrl.errors import DataError
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
    ],
)
def test_wrong_array_is_refused(arrays, save, key, value, message):
    arrays[key] = value
    with pytest.raises(DataError, match=message):
        ArrayDataset(save(**arrays))


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


def test_single_array_file_is_refused(tmp_path):
    np.save(tmp_path / 'data.npy', np.zeros(3))
    with pytest.raises(DataError, match='holds a single array'):
        ArrayDataset(str(tmp_path / 'data.npy'))


def test_truncated_file_is_refused(arrays, tmp_path):
    np.savez_compressed(tmp_path / 'data.npz', **arrays)
    content = bytearray((tmp_path / 'data.npz').read_bytes())
    content[60:140] = bytes(80)  # inside the compressed images; the directory at the end stays whole
    (tmp_path / 'data.npz').write_bytes(content)
    with pytest.raises(DataError, match='cannot be read'):
        ArrayDataset(str(tmp_path / 'data.npz'))
