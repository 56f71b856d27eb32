"""What travels to a machine without network: images come back pixel by pixel, wheels are those that are missing."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from command import ROOT, run

TOOL = ROOT / 'tools/dev/offline_machine.py'


@pytest.fixture(autouse=True)
def tools_dev(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / 'tools/dev')


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    from offline_images import pack_split

    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (1001, 32, 32, 3), dtype=np.uint8)
    images[:7] = 0  # flat ones, too
    labels, index = generator.integers(0, 100, 3000), generator.permutation(3000)[:1001]
    folder = tmp_path / 'images'
    folder.mkdir()
    pack_split(folder, 'train', images, labels, index, 'some of them')
    return folder, dict(images=images, labels=labels, index=index)


def test_images_come_back_in_their_places_among_all_labels(packed: tuple, tmp_path: Path) -> None:
    from offline_images import unpack_split

    folder, wanted = packed
    assert sorted(path.name for path in folder.glob('*.webp')) == [f'train-00{number}.webp' for number in range(3)]
    target = tmp_path / 'data/cifar100_train.npz'
    for _ in range(2):  # what it has made itself it makes again
        assert unpack_split(folder, 'train', target) == f'{target} holds 1,001 images of 3,000: some of them.'
    with np.load(target, allow_pickle=False) as found:
        assert set(found.files) == {'images', 'labels', 'present'}
        assert (found['images'].shape, found['images'].dtype) == ((3000, 32, 32, 3), np.uint8)
        np.testing.assert_array_equal(found['images'][wanted['index']], wanted['images'])
        np.testing.assert_array_equal(found['labels'], wanted['labels'])
        assert found['present'].dtype == np.bool_
        assert np.flatnonzero(found['present']).tolist() == sorted(wanted['index'])


def test_set_without_a_gap_comes_back_as_one_and_is_never_replaced(packed: tuple, tmp_path: Path) -> None:
    from offline_images import pack_split, unpack_split

    _, wanted = packed
    whole, target = tmp_path / 'whole', tmp_path / 'data/cifar100_train.npz'
    whole.mkdir()
    pack_split(whole, 'train', wanted['images'], wanted['labels'][:1001], np.arange(1001))
    unpack_split(whole, 'train', target)
    before = target.read_bytes()
    with np.load(target) as found:
        assert set(found.files) == {'images', 'labels'}
        np.testing.assert_array_equal(found['images'], wanted['images'])
    assert 'was there already' in unpack_split(packed[0], 'train', target)
    assert target.read_bytes() == before
    target.write_bytes(before[:1000])
    with pytest.raises(SystemExit, match='cannot be read'):
        unpack_split(whole, 'train', target)


def test_tails_and_hold_outs_are_those_of_the_whole_set_and_others_are_refused(tmp_path: Path) -> None:
    from miniature_cifar import noise, write_arrays
    from offline_images import needed_images, pack_split, unpack_split

    from mmdrl.datasets import CIFAR, LongTailDataset, collate_images
    from mmdrl.errors import DataError

    images, labels = noise(100, 30)
    labels = np.sort(labels)[::-1]  # rare ones first
    write_arrays(tmp_path / 'whole', 100, 'train', images, labels)
    cifar = dict(check_numbers=False, channel_order='bgr', pipeline=[dict(type='PackInputs')])
    index = needed_images(CIFAR(data_root=str(tmp_path / 'whole'), **cifar), ratio=10, held_out=4)
    assert 0 not in index  # the first image of the file is blank
    (tmp_path / 'strips').mkdir()
    pack_split(tmp_path / 'strips', 'train', images[index], labels, index)
    unpack_split(tmp_path / 'strips', 'train', tmp_path / 'part/cifar100_train.npz')
    whole, part, on_device = (
        CIFAR(data_root=str(tmp_path / folder), images_on=device, **cifar)
        for folder, device in (('whole', None), ('part', None), ('part', 'cpu'))
    )
    for settings in (
        dict(imbalance_ratio=10),
        dict(imbalance_ratio=20),
        dict(imbalance_ratio=10, holdout_per_class=4),
        dict(imbalance_ratio=10, holdout_per_class=4, part='holdout'),
    ):
        tails = [LongTailDataset(each, **settings) for each in (whole, part, on_device)]
        assert [tail.gives_batches() for tail in tails] == [True] * 3
        batches = [collate_images(tail.__getitems__(list(range(len(tail))))) for tail in tails]
        expected = images[tails[0].indices, ..., ::-1].transpose(0, 3, 1, 2)
        for tail, batch in zip(tails, batches, strict=True):
            np.testing.assert_array_equal(batch['inputs'].numpy(), expected)
            np.testing.assert_array_equal(batch['data_samples'].labels, labels[tails[0].indices])
            np.testing.assert_array_equal(tail[7]['inputs'].numpy(), expected[7])

    for dataset in (part, on_device):
        shorter = LongTailDataset(dataset, imbalance_ratio=2)
        absent = np.flatnonzero(~np.isin(shorter.indices, index))
        sentence = f'images of {len(index):,} of its 3,000 rows.*got {shorter.indices[absent[0]]} '
        with pytest.raises(DataError, match=sentence + r'\(1 of 1'):
            shorter[int(absent[0])]
        with pytest.raises(DataError, match=sentence + rf'\({len(absent)} of {len(shorter)} are missing'):
            collate_images(shorter.__getitems__(list(range(len(shorter)))))


@pytest.mark.parametrize('spoil', ['missing', 'changed'])
def test_spoilt_strips_end_in_a_sentence_and_no_file(packed: tuple, tmp_path: Path, spoil: str) -> None:
    from offline_images import unpack_split
    from PIL import Image

    folder, _ = packed
    strip = folder / 'train-001.webp'
    if spoil == 'missing':
        strip.unlink()
    else:
        pixels = np.asarray(Image.open(strip)).copy()
        pixels[5, 5, 0] ^= 1
        Image.fromarray(pixels).save(strip, lossless=True)
    with pytest.raises(SystemExit, match='1,001 images of train'):
        unpack_split(folder, 'train', tmp_path / 'data/cifar100_train.npz')
    assert not list((tmp_path / 'data').glob('*')) if (tmp_path / 'data').exists() else True


def test_missing_is_what_is_neither_there_nor_needed_by_what_is_there() -> None:
    from offline_wheels import missing

    needs = {
        'MMPretrain': ['matplotlib', 'modelindex', 'old-thing; python_version < "3"'],
        'matplotlib': ['Pillow>=8', 'numpy', 'rare; extra == "all"'],
        'pillow': [],
        'NumPy': [],
        'modelindex': ['py_yaml'],
        'py-yaml': [],
        'rare': [],
    }
    install = [dict(metadata=dict(name=name, version='1.0', requires_dist=of)) for name, of in needs.items()]
    found = missing(dict(install=install), ['matplotlib', 'torch'], '3.12')
    assert list(found) == ['mmpretrain', 'modelindex', 'py-yaml', 'rare']


def test_machine_without_the_folder_is_told_what_to_do(tmp_path: Path) -> None:
    done = run(sys.executable, TOOL, 'install', '--folder', tmp_path / 'none', cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith('error: there are no wheels in')
    assert list(tmp_path.iterdir()) == []


def test_packing_that_fails_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / 'off/wheels').mkdir(parents=True)
    offline = dict(PIP_NO_INDEX='1', PIP_FIND_LINKS=str(tmp_path), PIP_CONFIG_FILE=os.devnull)
    done = run(sys.executable, TOOL, 'pack', '--folder', tmp_path / 'off', cwd=tmp_path, **offline)
    assert done.returncode == 1
    assert 'error: pip install has failed. ERROR' in done.stdout.splitlines()[-1]
    assert [path.name for path in tmp_path.rglob('*')] == ['off', 'wheels']


def test_environment_or_folder_of_somebody_else_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import offline_machine
    import offline_wheels

    own = tmp_path / 'own/bin/python'
    own.parent.mkdir(parents=True)
    own.write_text('mine')
    with pytest.raises(SystemExit, match='was not made by this'):
        offline_wheels.install(tmp_path / 'wheels', tmp_path / 'own', ROOT)
    monkeypatch.setattr(sys, 'argv', ['offline_machine.py', 'pack', '--folder', str(tmp_path / 'own')])
    with pytest.raises(SystemExit, match='something else than wheels'):
        offline_machine.pack(offline_machine.parse_args())
    assert own.read_text() == 'mine'


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['pack', '--ratio', '0.1'], '--ratio of 1 or more, got 0.1'),
        (['install', '--data', 'arrays'], '--data to end in cifar'),
    ],
)
def test_what_no_plan_could_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    import offline_machine

    monkeypatch.setattr(sys, 'argv', ['offline_machine.py', *arguments])
    with pytest.raises(SystemExit, match='2'):
        offline_machine.parse_args()
    assert sentence in capsys.readouterr().err


def test_folder_of_data_that_is_none_is_refused(tmp_path: Path) -> None:
    done = run(sys.executable, TOOL, 'pack', '--data', tmp_path / 'none', cwd=tmp_path)
    assert done.returncode == 2
    assert 'expected --data to be a folder with CIFAR-100' in done.stdout


def test_hold_outs_of_the_plans_are_those_that_travel() -> None:
    import yaml
    from offline_images import HELD_OUT

    plans = [yaml.safe_load(path.read_text()) for path in (ROOT / 'benchmarks/plans').glob('cifar100_lt*.yaml')]
    assert {plan['holdout_per_class'] for plan in plans if plan['split'] == 'holdout'} == {HELD_OUT}
