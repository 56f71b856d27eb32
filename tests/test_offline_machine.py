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
    labels, index = generator.integers(0, 100, 1001), generator.permutation(50_000)[:1001]
    folder = tmp_path / 'images'
    folder.mkdir()
    pack_split(folder, 'train', images, labels, index)
    return folder, dict(images=images, labels=labels, index=index)


def test_images_labels_and_positions_come_back_as_they_were(packed: tuple, tmp_path: Path) -> None:
    from offline_images import unpack_split

    folder, wanted = packed
    assert sorted(path.name for path in folder.glob('*.webp')) == [f'train-00{number}.webp' for number in range(3)]
    target = tmp_path / 'data/cifar100_train.npz'
    unpack_split(folder, 'train', target)
    with np.load(target, allow_pickle=False) as found:
        assert set(found.files) == set(wanted)
        for name, array in wanted.items():
            np.testing.assert_array_equal(found[name], array)
        assert found['images'].dtype == np.uint8


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


def test_folder_of_data_that_is_none_is_refused(tmp_path: Path) -> None:
    done = run(sys.executable, TOOL, 'pack', '--data', tmp_path / 'none', cwd=tmp_path)
    assert done.returncode == 2
    assert 'expected --data to be a folder with CIFAR-100' in done.stdout
