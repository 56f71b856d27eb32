"""CIFAR: the same images from either form, and pickles that cannot run anything."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from miniature_cifar import noise, write_arrays, write_pickles
from mmpretrain.datasets import CIFAR100 as UpstreamCIFAR100
from mmpretrain.datasets import BaseDataset
from numpy.testing import assert_array_equal

from mmdrl.datasets import CIFAR, LongTailDataset
from mmdrl.datasets.arrays.cifar import read_cifar
from mmdrl.datasets.arrays.mapped_images import MappedImages
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS


def assert_holds(dataset: BaseDataset, images: np.ndarray, labels: np.ndarray) -> None:
    assert_array_equal(np.stack([dataset[position]['img'] for position in range(len(dataset))]), images)
    assert_array_equal(dataset.get_gt_labels(), labels)


@pytest.mark.parametrize('split', ['train', 'test'])
@pytest.mark.parametrize(('num_classes', 'first', 'last'), [(10, 'airplane', 'truck'), (100, 'apple', 'worm')])
@pytest.mark.parametrize('write', [write_arrays, write_pickles])
def test_either_form_gives_images_labels_and_class_names(tmp_path, write, num_classes, first, last, split):
    images, labels = noise(num_classes, 3)
    write(tmp_path, num_classes, split, images, labels)
    dataset = CIFAR(num_classes, split, data_root=str(tmp_path), check_numbers=False)
    assert_holds(dataset, images, labels)
    assert (dataset.CLASSES[0], dataset.CLASSES[-1], len(dataset.CLASSES)) == (first, last, num_classes)
    assert isinstance(dataset._columns['img'], MappedImages) == (write is write_arrays)


def test_arrays_go_before_pickles(tmp_path):
    write_pickles(tmp_path, 100, 'train', *noise(100, 1, seed=1))
    images, labels = noise(100, 1, seed=2)
    path = write_arrays(tmp_path, 100, 'train', images, labels)
    dataset = CIFAR(100, data_root=str(tmp_path), check_numbers=False)
    assert_holds(dataset, images, labels)
    assert str(path) in repr(dataset)


def test_config_builds_it_and_names_of_the_config_go_first(tmp_path):
    write_arrays(tmp_path, 10, 'test', *noise(10, 1))
    cfg = dict(type='mmdrl.CIFAR', num_classes=10, split='test', data_root=str(tmp_path), check_numbers=False)
    named = DATASETS.build(dict(cfg, classes=list('abcdefghij')))
    assert named.metainfo['classes'] == tuple('abcdefghij')
    lazy = DATASETS.build(dict(cfg, lazy_init=True, pipeline=[dict(type='PackInputs')]))
    assert not lazy._fully_initialized
    assert lazy[3]['inputs'].shape == (3, 32, 32)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol_are_read(tmp_path, protocol):
    images, labels = noise(10, 2)
    folder = write_pickles(tmp_path, 10, 'train', images, labels, protocol)
    for place in (folder, tmp_path):
        found, numbers = read_cifar(place, 10, 'train')
        assert_array_equal(found, images)
        assert_array_equal(numbers, labels)
    assert found.flags.c_contiguous


def as_python2(content: dict) -> bytes:
    """A pickle as Python 2 wrote the published files: byte strings, NumPy under its old name."""
    pixels = content['data'].tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I%d\nI%d\ntcnumpy\ndtype\n"
        % content['data'].shape
        + b"(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nT"
        + len(pixels).to_bytes(4, 'little')
        + pixels
        + b'tb'
    )
    labels = b'(l' + b''.join(b'I%d\na' % label for label in content['fine_labels'])
    return b"(dS'data'\n" + array + b"sS'fine_labels'\n" + labels + b's.'


def test_pickle_of_python_2_is_read(tmp_path):
    images, labels = noise(100, 1)
    folder = write_pickles(tmp_path, 100, 'test', images, labels)
    content = pickle.loads((folder / 'test').read_bytes())
    (folder / 'test').write_bytes(as_python2(content))
    assert_array_equal(pickle.loads((folder / 'test').read_bytes(), encoding='latin1')['data'], content['data'])
    found, numbers = read_cifar(folder, 100, 'test')
    assert_array_equal(found, images)
    assert_array_equal(numbers, labels)


class Command:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_pickle_that_runs_something_is_refused_and_does_not_run(tmp_path, protocol):
    folder = write_pickles(tmp_path, 100, 'train', *noise(100, 1))
    sprung = tmp_path / 'sprung'
    (folder / 'train').write_bytes(pickle.dumps({'data': Command(sprung), 'fine_labels': [0]}, protocol))
    with pytest.raises(DataError, match='which is refused'):
        CIFAR(100, data_root=str(tmp_path))
    assert not sprung.exists()
    pickle.loads((folder / 'train').read_bytes())
    assert sprung.exists()  # the file would have run it


@pytest.mark.parametrize(
    'name', ['builtins\neval', 'os\nsystem', 'numpy\nload', 'numpy.core.multiarray\nfromfile', 'builtins\ngetattr']
)
def test_only_the_names_of_arrays_are_known(tmp_path, name):
    folder = write_pickles(tmp_path, 100, 'train', *noise(100, 1))
    (folder / 'train').write_bytes(f"c{name}\n(S'x'\ntR.".encode())
    with pytest.raises(DataError, match=name.replace('\n', r'\.') + ', which is refused'):
        read_cifar(folder, 100, 'train')


def test_pickle_cut_or_changed_anywhere_is_an_error_in_a_sentence_or_reads(tmp_path):
    folder = write_pickles(tmp_path, 10, 'test', *noise(10, 1))
    content = (folder / 'test_batch').read_bytes()
    for place in [*range(0, 400, 3), *range(400, len(content), 2003)]:
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :]):
            (folder / 'test_batch').write_bytes(damaged)
            try:
                images, labels = read_cifar(folder, 10, 'test')
            except DataError as error:
                assert 'test_batch' in str(error)  # noqa: PT017
            else:
                assert (images.dtype, images.shape, labels.shape) == (np.uint8, (10, 32, 32, 3), (10,))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1, 2], 'must hold a dictionary, got a list'),
        ({'fine_labels': [0]}, "'data' .* got None"),
        ({'data': np.zeros((2, 3072)), 'fine_labels': [0, 1]}, "'data' .* got float64"),
        ({'data': np.zeros((2, 1024), np.uint8), 'fine_labels': [0, 1]}, r"'data' .* got uint8 of shape \(2, 1024\)"),
        ({'data': np.zeros((2, 3072), np.uint8)}, "'fine_labels' .* one integer for each of 2 images"),
        ({'data': np.zeros((2, 3072), np.uint8), 'fine_labels': [0]}, "'fine_labels' .* shape \\(1,\\)"),
        ({'data': np.zeros((2, 3072), np.uint8), 'fine_labels': [0.0, 1.0]}, "'fine_labels' .* float64"),
        ({'data': np.zeros((2, 3072), np.uint8), 'fine_labels': [0, 100]}, r'in \[0, 100\), got 100'),
    ],
)
def test_pickle_of_something_else_is_refused(tmp_path, content, message):
    folder = write_pickles(tmp_path, 100, 'train', *noise(100, 1))
    (folder / 'train').write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=message):
        CIFAR(100, data_root=str(tmp_path), check_numbers=False)


@pytest.mark.parametrize('write', [write_arrays, write_pickles])
def test_numbers_are_those_published_unless_switched_off(tmp_path, write):
    write(tmp_path, 10, 'test', *noise(10, 3))
    with pytest.raises(DataError, match=r'CIFAR-10 has 1,000 test images in each .* 3 in class 0 and 30 in all'):
        CIFAR(10, 'test', data_root=str(tmp_path))


@pytest.mark.parametrize(('num_classes', 'split', 'per_class'), [(10, 'test', 1000), (100, 'test', 100)])
def test_whole_set_passes(tmp_path, num_classes, split, per_class):
    labels = np.repeat(np.arange(num_classes), per_class)
    write_arrays(tmp_path, num_classes, split, np.zeros((10_000, 32, 32, 3), np.uint8), labels)
    assert len(CIFAR(num_classes, split, data_root=str(tmp_path))) == 10_000
    labels[0] = 1
    write_arrays(tmp_path, num_classes, split, np.zeros((10_000, 32, 32, 3), np.uint8), labels)
    with pytest.raises(DataError, match='in class 0 and 10,000 in all'):
        CIFAR(num_classes, split, data_root=str(tmp_path))


def test_arrays_of_another_size_are_refused(tmp_path):
    write_arrays(tmp_path, 10, 'test', np.zeros((10, 28, 28, 1), np.uint8), np.arange(10))
    with pytest.raises(DataError, match=r'\(32, 32, 3\), got \(28, 28, 1\)'):
        CIFAR(10, 'test', data_root=str(tmp_path), check_numbers=False)


def test_missing_data_name_both_places_and_the_command(tmp_path):
    command = rf'python tools/prepare_data\.py cifar100 --root {tmp_path}'
    with pytest.raises(DataError, match=rf'cifar100_train\.npz or .*cifar-100-python, found neither.*{command}'):
        CIFAR(100, data_root=str(tmp_path))


def test_missing_batch_is_named(tmp_path):
    folder = write_pickles(tmp_path, 10, 'train', *noise(10, 1))
    (folder / 'data_batch_4').unlink()
    with pytest.raises(DataError, match=r'no file .*data_batch_4'):
        CIFAR(10, data_root=str(tmp_path), check_numbers=False)


@pytest.mark.parametrize('arguments', [dict(num_classes=20), dict(split='val'), dict(num_classes='100')])
def test_other_sets_and_splits_are_refused(arguments):
    with pytest.raises(ConfigError, match="10 or 100 and split 'train' or 'test'"):
        CIFAR(**arguments)


class LenientCIFAR100(UpstreamCIFAR100):
    """MMPretrain's reader on pickles that are not those published: it asks for no checksum."""

    train_list = [['train', None]]
    test_list = [['test', None]]


def test_reader_of_mmpretrain_gives_the_same_tail(tmp_path):
    images, labels = noise(100, 6)
    for split in ('train', 'test'):
        write_pickles(tmp_path, 100, split, images, labels)
    theirs = LongTailDataset(LenientCIFAR100(str(tmp_path), download=False), 3)
    ours = LongTailDataset(CIFAR(100, data_root=str(tmp_path), check_numbers=False), 3)
    assert_array_equal(theirs.indices, ours.indices)
    assert theirs.metainfo == ours.metainfo
    for position in range(0, len(ours), 17):
        assert_array_equal(theirs[position]['img'], ours[position]['img'])
