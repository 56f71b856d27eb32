"""A table of lists and array files that are not what they should be, by name, by kind and by content."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import TRAIN, Said, refuse, write_config

from mmdrl.datasets import ArrayDataset, ImageListDataset
from mmdrl.errors import DataError

pytestmark = pytest.mark.faults
IMAGES, LABELS = np.zeros((4, 8, 8, 3), np.uint8), np.arange(4)
SHAPE = r'must be integers of shape \(N,\)'
SAVE = 'save uint8 images and integer labels with numpy.savez'

ARRAYS: dict[str, tuple[dict[str, Any], Said]] = {
    'no labels': (dict(images=IMAGES), Said("an array 'labels'", r"holds \['images'\]")),
    'no images': (dict(labels=LABELS), Said("an array 'images'", r"holds \['labels'\]")),
    'nan': (dict(images=IMAGES, labels=LABELS * np.nan), Said(SHAPE, 'got float64')),
    'booleans': (dict(images=IMAGES, labels=LABELS > 0), Said(SHAPE, 'got bool')),
    'complex': (dict(images=IMAGES, labels=LABELS * 1j), Said(SHAPE, 'got complex128')),
    'words': (dict(images=IMAGES, labels=LABELS.astype(str)), Said(SHAPE, 'got <U')),
    'days': (dict(images=IMAGES, labels=LABELS.astype('datetime64[s]')), Said(SHAPE, 'got datetime64')),
    'records': (dict(images=IMAGES, labels=np.zeros(4, [('a', 'i4')])), Said(SHAPE, "got .*'i4'|got .*<i4")),
    'one label': (dict(images=IMAGES, labels=np.int64(3)), Said(SHAPE, r'shape \(\)')),
    'columns': (dict(images=IMAGES, labels=LABELS[:, None]), Said(SHAPE, r'shape \(4, 1\)')),
    'too few': (dict(images=IMAGES, labels=LABELS[:2]), Said('one number per image', '4 images and 2 labels')),
    'negative': (
        dict(images=IMAGES, labels=LABELS - 1),
        Said('must be at least 0', 'got -1', 'Does num_classes match'),
    ),
    'huge': (
        dict(images=IMAGES, labels=LABELS + 2**62),
        Said('must be below', 'got 46116860', 'Does num_classes match'),
    ),
    'beyond': (
        dict(images=IMAGES, labels=LABELS.astype(np.uint64) + np.uint64(2**63)),
        Said('must be at least 0', 'got -9223', 'Does num_classes match'),
    ),
    'objects': (dict(images=IMAGES, labels=np.array([1, 'a', None, 3], object)), Said('plain arrays', 'Object', SAVE)),
    'names of objects': (
        dict(images=IMAGES, labels=LABELS, class_names=np.array([None] * 4, object)),
        Said('plain arrays', 'Object', SAVE),
    ),
    'pixels as fractions': (dict(images=IMAGES / 2, labels=LABELS), Said('must be uint8 of shape', 'got float64')),
    'five dimensions': (dict(images=IMAGES[None], labels=LABELS), Said('must be uint8 of shape', r'\(1, 4, 8, 8, 3\)')),
    'no image': (dict(images=IMAGES[:0], labels=LABELS[:0]), Said('at least one image', r'\(0, 8, 8, 3\)')),
}


@pytest.mark.parametrize('name', ARRAYS)
def test_arrays_that_are_not_images_and_labels_are_refused_before_training(tmp_path: Path, name: str) -> None:
    content, said = ARRAYS[name]
    np.savez(tmp_path / 'x.npz', **content)
    dataset = "dict(_delete_=True, type='mmdrl.ArrayDataset', data_file='x.npz', data_root='.', pipeline=[])"
    write_config(tmp_path, f'train_dataloader = dict(dataset={dataset})')
    refuse('train', TRAIN, said, tmp_path)


def junk(path: Path) -> None:
    with zipfile.ZipFile(path, 'w') as archive:
        for name in ('images.npy', 'labels.npy'):
            archive.writestr(name, b'junk')


def half_junk(path: Path) -> None:
    np.savez(path, images=IMAGES)
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr('labels.npy', b'junk')


THINGS: dict[str, Callable[[Path], Any]] = {
    'nothing': lambda path: None,
    'a folder': lambda path: path.mkdir(),
    'a pipe': lambda path: os.mkfifo(path),
    'a broken link': lambda path: path.symlink_to('nowhere'),
    'a link to itself': lambda path: path.symlink_to(path),
    'empty': lambda path: path.write_bytes(b''),
    'zeros': lambda path: path.write_bytes(bytes(500)),
    'rubbish': lambda path: path.write_bytes(np.random.default_rng(0).bytes(500)),
    'a zip of rubbish': junk,
    'labels that are rubbish': half_junk,
}


@pytest.mark.parametrize('thing', THINGS)
def test_thing_in_place_of_a_file_is_named(tmp_path: Path, thing: str) -> None:
    path = tmp_path / 'x.npz'
    THINGS[thing](path)
    for build in (ArrayDataset, ImageListDataset):
        with pytest.raises(DataError, match=r'x\.npz') as refusal:
            build('x.npz', data_root=str(tmp_path))
        assert '\n' not in str(refusal.value)
    refuse('analysis/class_stats', ['x.npz'], Said(r'x\.npz', r'x\.npz'), tmp_path)


@pytest.mark.parametrize('name', ['x' * 300, 'a\0b', '/dev/zero', '', '.', '~nobody_of_this_name/x'])
def test_name_that_can_be_no_file_is_named(tmp_path: Path, name: str) -> None:
    for build in (ArrayDataset, ImageListDataset):
        with pytest.raises(DataError):
            build(name, data_root=str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason='who may read everything is refused nothing')
def test_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('a.jpg 0\n')
    (tmp_path / 'list.txt').chmod(0)
    with pytest.raises(DataError, match=r'list\.txt cannot be read: Permission denied'):
        ImageListDataset('list.txt', data_root=str(tmp_path))


@pytest.mark.parametrize('tool', ['class_stats', 'report', 'compare_runs'])
def test_name_that_is_too_long_ends_in_a_sentence(tmp_path: Path, tool: str) -> None:
    said = Said('too long|Expected', 'x{40}', 'Give a shorter one|Has that run|Is the path right')
    refuse(f'analysis/{tool}', ['x' * 300], said, tmp_path)
