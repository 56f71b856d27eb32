"""Each data set from what the folder or a server has: built, checked, never overwritten."""

import hashlib
import io
import json
import pickle
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torchvision
from file_server import serving

from mmdrl.datasets.lists.published import PUBLISHED, PublishedSplit
from mmdrl.datasets.preparation import cifar, large_sets, prepare
from mmdrl.datasets.preparation.files import RemoteFile
from mmdrl.errors import ConfigError, DataError

NOWHERE = 'http://127.0.0.1:9'  # a test that fetches what it should not fails
offline = partial(prepare, mirror=NOWHERE, retries=0)


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b'blob %d\0' % len(content) + content).hexdigest()


def rows(counts: list[int], pattern: str = 'train/{label}/{number}.jpg {label}\n') -> bytes:
    """List of so many images of each class."""
    lines = [pattern.format(label=label, number=number) for label, n in enumerate(counts) for number in range(n)]
    return ''.join(lines).encode()


def tar_gz(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w:gz', compresslevel=1) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def small_cifar(monkeypatch) -> dict[str, bytes]:
    """Pickles of a CIFAR-10 of 50 and 20 images, which the recipe is told to be the size of the set."""
    monkeypatch.setattr(cifar, 'IMAGES', {'train': 50, 'test': 20})
    monkeypatch.setattr(cifar, 'RATIOS', (1,))
    rng = np.random.default_rng(0)
    names = [f'data_batch_{number}' for number in range(1, 6)]
    batches = dict.fromkeys(names, 10) | {'test_batch': 20}
    return {
        f'cifar-10-batches-py/{name}': pickle.dumps(
            dict(data=rng.integers(0, 256, (size, 3072), dtype=np.uint8), labels=[label % 10 for label in range(size)])
        )
        for name, size in batches.items()
    }


def write(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def state(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob('*')}


def check_small_cifar(root: Path, files: dict[str, bytes]) -> None:
    batches = [pickle.loads(files[f'cifar-10-batches-py/data_batch_{number}']) for number in range(1, 6)]
    with np.load(root / 'cifar10_train.npz') as arrays:
        expected = np.concatenate([batch['data'] for batch in batches])
        assert np.array_equal(arrays['images'].transpose(0, 3, 1, 2).reshape(50, 3072), expected)
        assert arrays['labels'].tolist() == [label % 10 for label in range(10)] * 5
        assert arrays['class_names'][[0, 9]].tolist() == ['airplane', 'truck']
    with np.load(root / 'cifar10_test.npz') as arrays:
        assert arrays['images'].shape == (20, 32, 32, 3)


def test_cifar_is_fetched_unpacked_and_built(tmp_path, monkeypatch):
    files = small_cifar(monkeypatch)
    archive = tar_gz(files)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, 'tgz_md5', hashlib.md5(archive).hexdigest())
    with serving(files={'cifar-10-python.tar.gz': archive}, faults=[dict(drop_after=50_000)]) as server:
        monkeypatch.setattr(torchvision.datasets.CIFAR10, 'url', f'{server.address}/cifar-10-python.tar.gz')
        prepare('cifar10', tmp_path)
        assert len(server.requests) == 2
    check_small_cifar(tmp_path, files)


def test_cifar_comes_from_pickles_that_are_there(tmp_path, monkeypatch):
    files = small_cifar(monkeypatch)
    write(files, tmp_path)
    notes = offline('cifar10', tmp_path).notes
    check_small_cifar(tmp_path, files)
    assert any('data_batch_3 is not the published file byte for byte' in note for note in notes)


def test_second_run_changes_nothing(tmp_path, monkeypatch):
    write(small_cifar(monkeypatch), tmp_path)
    offline('cifar10', tmp_path)
    before = state(tmp_path)
    assert offline('cifar10', tmp_path).notes == []
    assert state(tmp_path) == before


def test_arrays_can_be_memory_mapped(tmp_path, monkeypatch):
    write(small_cifar(monkeypatch), tmp_path)
    offline('cifar10', tmp_path)
    with zipfile.ZipFile(tmp_path / 'cifar10_train.npz') as members:
        assert {member.compress_type for member in members.infolist()} == {zipfile.ZIP_STORED}


def test_array_file_that_is_not_cifar_is_left_alone(tmp_path, monkeypatch):
    small_cifar(monkeypatch)
    path = tmp_path / 'cifar10_train.npz'
    np.savez(path, images=np.zeros((50, 32, 32, 3), np.uint8), labels=np.zeros(50, np.int64))
    before = path.read_bytes()
    with pytest.raises(DataError, match=r'cifar10_train\.npz is not CIFAR-10.*move it away'):
        offline('cifar10', tmp_path)
    assert path.read_bytes() == before


def test_damaged_pickle_leaves_no_array_file(tmp_path, monkeypatch):
    files = small_cifar(monkeypatch)
    files['cifar-10-batches-py/data_batch_4'] = files['cifar-10-batches-py/data_batch_4'][:-1000]
    write(files, tmp_path)
    with pytest.raises(DataError, match='data_batch_4'):
        offline('cifar10', tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {'cifar-10-batches-py'}


def test_pickles_of_another_size_leave_no_array_file(tmp_path, monkeypatch):
    files = small_cifar(monkeypatch)
    files['cifar-10-batches-py/data_batch_4'] = files['cifar-10-batches-py/test_batch']
    write(files, tmp_path)
    with pytest.raises(DataError, match=r'cifar-10-batches-py is not CIFAR-10.*5 train images.*\(60, 32, 32, 3\)'):
        offline('cifar10', tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {'cifar-10-batches-py'}


def test_missing_pickle_is_named(tmp_path, monkeypatch):
    files = small_cifar(monkeypatch)
    del files['cifar-10-batches-py/data_batch_4']
    write(files, tmp_path)
    with pytest.raises(DataError, match='data_batch_4'):
        offline('cifar10', tmp_path)


def test_rest_of_a_killed_run_does_not_matter(tmp_path, monkeypatch):
    files = small_cifar(monkeypatch)
    write(files, tmp_path)
    (tmp_path / '.cifar10_train.npz.part').write_bytes(bytes(1_000_000))
    offline('cifar10', tmp_path)
    check_small_cifar(tmp_path, files)
    assert not list(tmp_path.glob('.*.part'))


def test_full_disk_leaves_no_array_file(tmp_path, monkeypatch):
    write(small_cifar(monkeypatch), tmp_path)

    def full(stream, **arrays):
        stream.write(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(np, 'savez', full)
    with pytest.raises(DataError, match=r'cifar10_train\.npz failed: No space left'):
        offline('cifar10', tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {'cifar-10-batches-py'}


@pytest.mark.parametrize(('change', 'verdict'), [(0, 'are those'), (1, 'are NOT those')])
def test_pixels_are_compared_with_those_of_the_published_set(tmp_path, monkeypatch, change, verdict):
    monkeypatch.setattr(cifar, 'IMAGES', {'train': 100, 'test': 100})
    monkeypatch.setattr(cifar, 'RATIOS', (1,))
    images = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    digest = hashlib.sha256(images.tobytes()).hexdigest()
    monkeypatch.setattr(cifar, 'PIXELS', {'cifar100_train.npz': digest, 'cifar100_test.npz': digest})
    images[50, 7, 7, 1] += change
    for split in ('train', 'test'):
        np.savez(tmp_path / f'cifar100_{split}.npz', images=images, labels=np.arange(100))
    notes = offline('cifar100', tmp_path).notes
    assert [verdict in note for note in notes] == [True, True]


@pytest.mark.parametrize(
    ('name', 'totals'),
    [('cifar10', [50_000, 20_431, 13_996, 12_406]), ('cifar100', [50_000, 19_573, 12_608, 10_847])],
)
def test_counts_of_cifar_are_those_of_the_literature(tmp_path, monkeypatch, name, totals):
    """Totals of the public splits of ratio 10, 50 and 100, behind that of the whole set."""
    monkeypatch.setattr(cifar, '_check', lambda *_: None)
    for split in ('train', 'test'):
        (tmp_path / f'{name}_{split}.npz').touch()
    assert [int(counts.sum()) for counts in offline(name, tmp_path).counts.values()] == totals


TINY = {'train': [9, 4, 1], 'val': [2, 2, 2]}


@pytest.fixture
def tiny_places(monkeypatch) -> dict[str, bytes]:
    """Places-LT with three classes: its lists by name."""
    files, published = {}, {}
    for split, counts in TINY.items():
        files[f'Places_LT_{split}.txt'] = content = rows(counts)
        published[split] = PublishedSplit(
            f'Places_LT_{split}.txt', sum(counts), len(counts), max(counts), min(counts), git_blob(content)
        )
    monkeypatch.setitem(PUBLISHED, 'Places-LT', published)
    return files


def test_lists_are_fetched_and_counted(tmp_path, tiny_places):
    with serving(files=tiny_places) as server:
        prepared = prepare('places-lt', tmp_path, mirror=server.address)
    assert {name: counts.tolist() for name, counts in prepared.counts.items()} == {
        'Places-LT train': TINY['train'],
        'Places-LT val': TINY['val'],
    }
    assert prepared.problems == []
    assert all((tmp_path / name).read_bytes() == content for name, content in tiny_places.items())


def test_second_run_asks_for_nothing(tmp_path, tiny_places):
    write(tiny_places, tmp_path)
    assert offline('places-lt', tmp_path).problems == []
    before = state(tmp_path)
    assert offline('places-lt', tmp_path).problems == []
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda content: content.replace(b'\n', b'\r\n'), 'in its line ends'),
        (lambda content: content.rstrip(b'\n'), 'in its line ends'),
        (lambda content: content.replace(b'train/', b'data_256/a/'), r'the first path is data_256/a/0/0\.jpg'),
    ],
)
def test_list_with_the_right_numbers_is_used_and_its_difference_named(tmp_path, tiny_places, change, words):
    tiny_places['Places_LT_train.txt'] = change(tiny_places['Places_LT_train.txt'])
    write(tiny_places, tmp_path)
    prepared = offline('places-lt', tmp_path)
    assert prepared.problems == []
    assert prepared.counts['Places-LT train'].tolist() == TINY['train']
    with pytest.raises(AssertionError, match=f'differs from the published list.*{words}'):
        raise AssertionError(prepared.notes)
    assert (tmp_path / 'Places_LT_train.txt').read_bytes() == tiny_places['Places_LT_train.txt']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (rows([9, 4, 2]), r'14 images.*15 images.*move it away'),
        (b'train/0.jpg 0\n../1.jpg 1\n', r'line 2.*\.\./1\.jpg'),
        (b'<html>\n', 'line 1'),
    ],
)
def test_wrong_list_is_a_problem_and_the_rest_goes_on(tmp_path, tiny_places, content, message):
    tiny_places['Places_LT_train.txt'] = content
    write(tiny_places, tmp_path)
    prepared = offline('places-lt', tmp_path)
    (problem,) = prepared.problems
    with pytest.raises(DataError, match=message):
        raise DataError(problem)
    assert list(prepared.counts) == ['Places-LT val']
    assert (tmp_path / 'Places_LT_train.txt').read_bytes() == content


def annotations(labels: list[int]) -> bytes:
    images = [dict(id=100 + number, file_name=f'train_val2018/a/{number}.jpg') for number in range(len(labels))]
    entries = [dict(image_id=100 + number, category_id=label) for number, label in enumerate(labels)]
    return json.dumps(dict(images=images, annotations=entries, categories=[])).encode()


@pytest.fixture
def tiny_inaturalist(monkeypatch) -> dict[str, bytes]:
    """iNaturalist with three classes: archives and list by name."""
    list_ = rows(TINY['train'])
    split = PublishedSplit('iNaturalist18_train.txt', 14, 3, 9, 1, git_blob(list_))
    monkeypatch.setitem(PUBLISHED, 'iNaturalist 2018', dict(train=split))
    json_archive = tar_gz({'train2018.json': annotations([0] * 9 + [1] * 4 + [2])})
    image_archive = tar_gz({'train_val2018/a/0.jpg': b'jpeg'})
    parts = large_sets.LARGE_SETS['inaturalist2018']
    changed = large_sets.LargeSet(
        parts.published,
        parts.list_folder,
        parts.image_folders,
        parts.advice,
        dict(train=RemoteFile(parts.annotations['train'].url, hashlib.md5(json_archive).hexdigest())),
        dict(train_val2018=RemoteFile(parts.images['train_val2018'].url, hashlib.md5(image_archive).hexdigest())),
    )
    monkeypatch.setitem(large_sets.LARGE_SETS, 'inaturalist2018', changed)
    return {
        'iNaturalist18_train.txt': list_,
        'train2018.json.tar.gz': json_archive,
        'train_val2018.tar.gz': image_archive,
    }


def test_annotations_are_unpacked_and_images_only_when_asked_for(tmp_path, tiny_inaturalist):
    with serving(files=tiny_inaturalist) as server:
        prepared = prepare('inaturalist2018', tmp_path, mirror=server.address)
        assert prepared.problems == []
        assert any('--images' in note for note in prepared.notes)
        assert (tmp_path / 'train2018.json').exists()
        assert not (tmp_path / 'train_val2018').exists()
        assert len(server.requests) == 2
        prepared = prepare('inaturalist2018', tmp_path, mirror=server.address, images=True)
        assert prepared.problems == []
        assert (tmp_path / 'train_val2018/a/0.jpg').read_bytes() == b'jpeg'
        (tmp_path / 'train_val2018.tar.gz').unlink()
        assert prepare('inaturalist2018', tmp_path, mirror=server.address, images=True).problems == []
        assert len(server.requests) == 3


def test_images_on_a_disk_that_is_not_mounted_are_not_fetched(tmp_path, tiny_inaturalist):
    (tmp_path / 'train_val2018').symlink_to('/nowhere')
    with serving(files=tiny_inaturalist) as server:
        prepared = prepare('inaturalist2018', tmp_path, mirror=server.address, images=True)
    assert [problem for problem in prepared.problems if 'train_val2018 is no folder' in problem] == prepared.problems
    assert len(prepared.problems) == 1
    assert not any('--images' in note for note in prepared.notes)
    assert len(server.requests) == 2


def test_root_of_an_unknown_user_is_refused():
    with pytest.raises(ConfigError, match='no such user'):
        prepare('cifar10', '~nobody-of-that-name/data')


def test_annotations_with_other_numbers_are_a_problem(tmp_path, tiny_inaturalist):
    write({'iNaturalist18_train.txt': tiny_inaturalist['iNaturalist18_train.txt']}, tmp_path)
    (tmp_path / 'train2018.json').write_bytes(annotations([0, 1, 2]))
    prepared = offline('inaturalist2018', tmp_path)
    assert len(prepared.problems) == 1
    assert 'train2018.json' in prepared.problems[0]


def test_imagenet_says_what_to_put_where(tmp_path):
    notes = offline('imagenet-lt', tmp_path).notes
    assert any('account' in note and f'{tmp_path}/train/' in note for note in notes)


def test_every_file_of_a_mirror_has_a_name_of_its_own():
    files = [
        file.name
        for parts in large_sets.LARGE_SETS.values()
        for file in (*parts.annotations.values(), *parts.images.values())
    ]
    lists = [split.list_name for splits in PUBLISHED.values() for split in splits.values()]
    assert len(set(files + lists)) == len(files + lists)


def test_places_archives_are_those_that_torchvision_knows():
    known = set(torchvision.datasets.Places365._IMAGES_META.values())
    assert {(file.name, file.digest) for file in large_sets.LARGE_SETS['places-lt'].images.values()} <= known
