"""CIFAR-10-LT and CIFAR-100-LT: the published selections, order included, and published positions read from files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from torch.utils.data import ConcatDataset, Subset

from mmdrl.datasets import CIFAR, ArrayDataset, LongTailDataset
from mmdrl.datasets.columns import ColumnDataset
from mmdrl.errors import ConfigError, DataError

LABELS = Path(__file__).parents[1] / 'data/cifar_labels.npz'
# Classes, ratio, images, and sha256 of the positions as little-endian int64 ('<i8'), in order. The hashes are of a file
# of positions that was made apart from this package, by the published procedure: np.random.seed(0), then for each
# class in turn np.random.shuffle of its positions, of which the first int(n_max * mu ** (c / (K - 1))) stay.
PUBLISHED = [
    (10, 10, 20431, 'a17d69f192b1cf6df09676b6c424e2ad5e7d7863ccc4b9ba70ef128885973218'),
    (10, 20, 17023, 'fed8b23a7a778a4094b8c5301522600105c4441811d1ef239ae7fc72c42f7fe5'),
    (10, 50, 13996, 'd7edcfaf02772bee1e2310a33be8b6c46232f043641158348b9de3ec731e26ac'),
    (10, 100, 12406, '4bf45bff8878d2786e47dccd702f96ff33b2b11d8c7da3b5015f10937290f866'),
    (10, 200, 11203, 'a88004a1d13610934f4f0b642dab5e5df26f0d0ef20408bd092f25ab81103334'),
    (100, 10, 19573, 'b4fbf1bf0a7f33381467493f50b953ce21b03a2b6d45b0d5e8da5d95d9ffd736'),
    (100, 20, 15907, '1410f105fffda31596c5af26b044a4545124854811b80ec57538a067be3420e4'),
    (100, 50, 12608, '561fa940cc7d3551d441643e310c7e439bf84f86b7863a3f7364963522d2984a'),
    (100, 100, 10847, 'e0d58a4d2700c46062da852554e5d185bbee74d3c612b052ea2a839bdadf939e'),
    (100, 200, 9502, '2f00ccd33da379d5e64ce9442512a16e9e1eb3f1bb3a90316aac08c69a441157'),
]


class LabelColumn(ColumnDataset):
    """Labels and nothing else."""

    def __init__(self, labels, **kwargs):
        self.labels = np.asarray(labels, dtype=np.int64)
        super().__init__(ann_file='', **kwargs)

    def load_columns(self):
        return {'gt_label': self.labels}


@pytest.fixture(scope='module')
def cifar() -> dict[int, LabelColumn]:
    with np.load(LABELS) as labels:
        return {num_classes: LabelColumn(labels[f'cifar{num_classes}']) for num_classes in (10, 100)}


def digest(indices: np.ndarray) -> str:
    return hashlib.sha256(indices.astype('<i8').tobytes()).hexdigest()


@pytest.mark.parametrize(('num_classes', 'ratio', 'images', 'sha256'), PUBLISHED)
def test_indices_are_those_published_in_their_order(cifar, num_classes, ratio, images, sha256):
    dataset = LongTailDataset(cifar[num_classes], ratio)
    assert len(dataset) == images
    assert digest(dataset.indices) == sha256


@pytest.mark.parametrize(('num_classes', 'groups'), [(100, (35, 35, 30)), (10, (8, 2, 0))])
def test_shot_groups_at_ratio_100_are_those_of_the_literature(cifar, num_classes, groups):
    masks = LongTailDataset(cifar[num_classes], 100).shot_groups()
    assert tuple(int(mask.sum()) for mask in masks.values()) == groups


@pytest.fixture(scope='module')
def subset_file(cifar, tmp_path_factory) -> str:
    """The ratio-10 part of CIFAR-10 in ascending order, as it is passed around, with pixels that do not matter."""
    index = np.sort(LongTailDataset(cifar[10], 10).indices)
    path = tmp_path_factory.mktemp('subset') / 'cifar10_lt_train.npz'
    np.savez(
        path,
        images=np.zeros((len(index), 1, 1, 1), np.uint8),
        labels=cifar[10].get_gt_labels()[index],
        index=index.astype(np.uint16),
    )
    return str(path)


@pytest.fixture(scope='module')
def published_file(cifar, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp('lists') / 'cifar_lt_index.npz'
    selections = {
        f'cifar{num_classes}_imb{ratio}': LongTailDataset(cifar[num_classes], ratio).indices.astype(np.uint16)
        for num_classes, ratio, *_ in PUBLISHED
    }
    np.savez_compressed(path, **selections)
    return str(path)


@pytest.mark.parametrize('wrap', [lambda subset: subset, lambda subset: Subset(subset, range(len(subset))[::-1])])
@pytest.mark.parametrize(('num_classes', 'ratio', 'images', 'sha256'), PUBLISHED[:5])
def test_published_positions_are_found_in_the_subset(
    cifar, subset_file, published_file, num_classes, ratio, images, sha256, wrap
):
    subset = ArrayDataset(subset_file)
    found = LongTailDataset(
        wrap(subset), ratio, indices_file=published_file, indices_key=f'cifar{num_classes}_imb{ratio}'
    )
    original = subset.index[[found.get_data_info(position)['sample_idx'] for position in range(0, images, 97)]]
    whole = LongTailDataset(cifar[10], indices_file=published_file, indices_key=f'cifar{num_classes}_imb{ratio}')
    assert digest(whole.indices) == sha256
    assert_array_equal(original, whole.indices[::97])
    assert_array_equal(found.get_gt_labels(), whole.get_gt_labels())
    assert found.class_counts.sum() == images


def test_selection_of_another_set_is_refused(subset_file, published_file):
    with pytest.raises(DataError, match=r"positions that the 'index' of ArrayDataset has \(20,431 images\), got \d+"):
        LongTailDataset(ArrayDataset(subset_file), indices_file=published_file, indices_key='cifar100_imb10')


def test_selection_must_have_the_ratio_that_is_asked_for(subset_file, published_file):
    arguments = dict(indices_file=published_file, indices_key='cifar10_imb50')
    for other in (dict(imbalance_ratio=100), dict(imbalance_ratio=50, profile='step')):
        with pytest.raises(DataError, match=rf'images of class \d, but imbalance_ratio={other["imbalance_ratio"]}'):
            LongTailDataset(ArrayDataset(subset_file), **other, **arguments)


def rows() -> LabelColumn:
    """Class 0: even positions up to 18; class 1: odd ones; class 2: 20 to 25."""
    return LabelColumn([0, 1] * 10 + [2] * 6)


def save(folder: Path, kind: str, positions) -> str:
    path = folder / f'positions.{kind}'
    if kind == 'npy':
        np.save(path, positions)
    elif kind == 'npz':
        np.savez(path, only=positions)
    else:
        path.write_text(''.join(f'{position}\n' for position in positions))
    return str(path)


@pytest.mark.parametrize('kind', ['npy', 'npz', 'txt'])
def test_positions_are_taken_in_the_order_of_the_file(tmp_path, kind):
    positions = [20, 7, 0, 3, 18, 2]
    dataset = LongTailDataset(rows(), indices_file=save(tmp_path, kind, positions))
    assert dataset.indices.tolist() == positions
    assert dataset.class_counts.tolist() == [3, 2, 1]
    assert dataset.actual_imbalance_ratio == 3


@pytest.mark.parametrize('seed', [0, 1])
def test_holdout_comes_from_what_the_positions_leave_out(tmp_path, seed):
    positions = [26 + 20, 7, 0, 26 + 3, 18, 2]
    file = save(tmp_path, 'npy', positions)
    # A set that has every image twice: the other copy of an image of the tail must not be held out.
    whole = ConcatDataset([source := rows(), source])
    held = LongTailDataset(whole, indices_file=file, holdout_per_class=5, part='holdout', seed=seed)
    assert held.class_counts.tolist() == [5, 5, 5]
    assert not set((held.indices % 26).tolist()) & {position % 26 for position in positions}
    assert len(set((held.indices % 26).tolist())) == 15
    assert len(LongTailDataset(whole, indices_file=file, holdout_per_class=5)) == 6
    other = LongTailDataset(whole, indices_file=file, holdout_per_class=5, part='holdout', seed=seed + 1)
    assert set(other.indices.tolist()) != set(held.indices.tolist())


@pytest.mark.parametrize('part', ['train', 'holdout'])
def test_holdout_that_the_positions_leave_nothing_for_is_explained(cifar, published_file, part):
    arguments = dict(indices_file=published_file, indices_key='cifar100_imb100', part=part, holdout_per_class=5)
    with pytest.raises(DataError, match=r'leaves 0 images of class 0, but holdout_per_class is 5.*largest class'):
        LongTailDataset(cifar[100], **arguments)


@pytest.mark.parametrize(
    ('positions', 'message'),
    [
        ([0, 1, 26, 20, 99], r'positions of the 26 images of LabelColumn, got 26 at place 2 \(2 of 5'),
        ([0, -1, 20], r'positions of at least 0, got -1 at place 1 \(1 of 3'),
        ([0, 1, 20, 1, 0, 5], r'every image once, got 1 at place 3 \(2 of 6'),
        ([0, 2, 1], r'leaves 1 of 3 classes without an image \(class 2 first\)'),
        (np.array([0.0, 1.0, 20.0]), 'whole numbers .* got float64'),
        (np.array([[0, 1, 20]]), r'whole numbers .* shape \(1, 3\)'),
        (np.array([], dtype=int), r'whole numbers .* shape \(0,\)'),
        (np.array([2**63], dtype=np.uint64), 'positions of images, got 9223372036854775808'),
        (np.array([{}]), 'cannot be read as arrays of plain numbers'),
    ],
)
def test_positions_that_do_not_fit_are_counted_and_the_first_is_named(tmp_path, positions, message):
    with pytest.raises(DataError, match=message):
        LongTailDataset(
            LabelColumn([0, 1] * 10 + [2] * 6, classes=['a', 'b', 'c']), indices_file=save(tmp_path, 'npy', positions)
        )


def test_image_that_the_wrapped_set_repeats_cannot_be_taken_twice(tmp_path):
    source = rows()
    with pytest.raises(DataError, match=r'every image once, got 27 at place 2 \(1 of 4'):
        LongTailDataset(ConcatDataset([source, source]), indices_file=save(tmp_path, 'npy', [0, 1, 27, 20]))


def test_joined_subsets_that_disagree_about_a_position_are_refused(tmp_path):
    parts = []
    for name, value in (('a', 0), ('b', 1)):
        np.savez(tmp_path / f'{name}.npz', images=np.full((2, 1, 1), value, np.uint8), labels=[0, 1], index=[4, 9])
        parts.append(ArrayDataset(str(tmp_path / f'{name}.npz')))
    with pytest.raises(DataError, match='same position to different images'):
        LongTailDataset(ConcatDataset(parts), indices_file=save(tmp_path, 'npy', [4, 9]))
    twice = LongTailDataset(ConcatDataset([parts[0], parts[0]]), indices_file=save(tmp_path, 'npy', [9, 4]))
    assert twice.indices.tolist() == [1, 0]


@pytest.mark.parametrize(
    ('name', 'content', 'key', 'error', 'message'),
    [
        ('none.npy', None, '', DataError, r'no file .*none\.npy'),
        ('x.txt', '3\n7 2\n', '', DataError, r"x\.txt, line 2: expected one whole number, got '7 2'"),
        ('x.txt', '3\n\n4\n', '', DataError, 'line 2'),
        ('x.txt', '1_0\n', '', DataError, "line 1: .*'1_0'"),
        ('x.txt', '3\n1e3\n', '', DataError, r"line 2: .*'1e3'"),
        ('x.txt', f'{10**30}\n', '', DataError, 'beyond 64 bits'),
        ('x.txt', '', '', DataError, 'whole numbers'),
        ('x.txt', '1\n', 'a', ConfigError, 'array of a .npz'),
        ('x.npz', 'no archive', '', DataError, 'cannot be read'),
        ('x.npy', '', '', DataError, 'cannot be read'),
    ],
)
def test_file_that_holds_no_positions_is_refused(tmp_path, name, content, key, error, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=message):
        LongTailDataset(rows(), indices_file=str(tmp_path / name), indices_key=key)


@pytest.mark.parametrize('text', ['20\n7\n0\n\n\n', '\ufeff20\r\n7\r\n0'])
def test_text_may_end_in_blank_lines_and_come_from_windows(tmp_path, text):
    (tmp_path / 'x.txt').write_bytes(text.encode())
    assert LongTailDataset(rows(), indices_file=str(tmp_path / 'x.txt')).indices.tolist() == [20, 7, 0]


def test_part_under_the_name_of_the_whole_set_tells_its_positions_too(tmp_path):
    images, labels = np.zeros((20, 32, 32, 3), np.uint8), np.arange(20) % 10
    np.savez(tmp_path / 'cifar10_train.npz', images=images, labels=labels, index=np.arange(20) * 7)
    part = CIFAR(10, data_root=str(tmp_path), check_numbers=False)
    dataset = LongTailDataset(part, indices_file=save(tmp_path, 'npy', np.arange(20)[5:] * 7))
    assert dataset.indices.tolist() == list(range(5, 20))


@pytest.mark.parametrize('key', ['', 'cifar10_imb1'])
def test_arrays_of_the_file_are_named(published_file, key):
    with pytest.raises(ConfigError, match=rf"one of \['cifar100_imb10', .*got '{key}'"):
        LongTailDataset(rows(), indices_file=published_file, indices_key=key)
