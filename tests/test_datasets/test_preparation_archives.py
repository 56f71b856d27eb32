"""Archives of strangers: nothing leaves the folder, nothing is overwritten, nothing is half there."""

import hashlib
import io
import shutil
import tarfile
import tracemalloc
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from mmdrl.datasets.preparation import files
from mmdrl.datasets.preparation.archives import unpack
from mmdrl.datasets.preparation.files import lock
from mmdrl.errors import DataError


def archive(path: Path, *members: tarfile.TarInfo | tuple[str, bytes]) -> Path:
    with tarfile.open(path, 'w:gz' if path.suffix == '.gz' else 'w') as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def special(name: str, kind: bytes, target: str = '') -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.mark.parametrize('name', ['a.tar', 'a.tar.gz'])
def test_members_take_their_places(tmp_path, name):
    path = archive(tmp_path / name, ('set/train/1', b'one'), ('set/test/2', b'two'), ('note', b'three'))
    folder = tmp_path / 'data'
    folder.mkdir()
    assert unpack(path, folder) == [folder / 'note', folder / 'set']
    assert tree(folder) == {'set/train/1': b'one', 'set/test/2': b'two', 'note': b'three'}
    assert not any(entry.name.startswith('.') for entry in folder.iterdir())


@pytest.mark.parametrize(
    'member',
    [
        ('../outside', b'evil'),
        ('set/../../outside', b'evil'),
        special('set/link', tarfile.SYMTYPE, '../../outside'),
        special('set/link', tarfile.SYMTYPE, '/etc/passwd'),
        special('set/link', tarfile.LNKTYPE, '../outside'),
        special('set/device', tarfile.CHRTYPE),
    ],
    ids=['path', 'path below', 'link', 'absolute link', 'hard link', 'device'],
)
def test_nothing_leads_out_of_the_folder(tmp_path, member):
    folder = tmp_path / 'data'
    folder.mkdir()
    (tmp_path / 'outside').write_bytes(b'mine')
    path = archive(tmp_path / 'a.tar', ('set/1', b'one'), member)
    with pytest.raises(DataError, match='not safe'):
        unpack(path, folder)
    assert list(folder.iterdir()) == []
    assert (tmp_path / 'outside').read_bytes() == b'mine'


def test_absolute_path_lands_below_the_folder(tmp_path):
    """What every tar does: the leading slash is dropped."""
    folder = tmp_path / 'data'
    folder.mkdir()
    unpack(archive(tmp_path / 'a.tar', (f'{tmp_path}/outside', b'evil')), folder)
    assert not (tmp_path / 'outside').exists()


def test_write_through_a_link_of_the_archive_is_refused(tmp_path):
    folder, outside = tmp_path / 'data', tmp_path / 'outside'
    folder.mkdir()
    outside.mkdir()
    path = archive(tmp_path / 'a.tar', special('set', tarfile.SYMTYPE, str(outside)), ('set/1', b'evil'))
    with pytest.raises(DataError, match='not safe'):
        unpack(path, folder)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize('name', ['a.tar', 'a.tar.gz'])
@pytest.mark.parametrize('damage', ['truncated', 'flipped', 'text'])
def test_damaged_archive_leaves_nothing(tmp_path, name, damage):
    path = archive(tmp_path / name, ('set/1', np.random.default_rng(0).bytes(100_000)), ('set/2', b'two'))
    content = bytearray(path.read_bytes())
    if damage == 'truncated':
        del content[50_000:]
    elif damage == 'flipped':
        content[10:60] = bytes(byte ^ 0xFF for byte in content[10:60])
    else:
        content = bytearray(b'<html>Not found</html>' * 100)
    path.write_bytes(content)
    folder = tmp_path / 'data'
    folder.mkdir()
    with pytest.raises(DataError, match=r'damaged.*fetch it again'):
        unpack(path, folder)
    assert list(folder.iterdir()) == []


def test_what_is_in_the_place_is_left_alone(tmp_path):
    folder = tmp_path / 'data'
    (folder / 'set').mkdir(parents=True)
    (folder / 'set/1').write_bytes(b'mine')
    path = archive(tmp_path / 'a.tar', ('another', b'0'), ('set/1', b'one'), ('set/2', b'two'))
    with pytest.raises(DataError, match=r'data/set is there already.*move it away'):
        unpack(path, folder)
    assert tree(folder) == {'set/1': b'mine'}


def test_link_to_nothing_is_left_alone(tmp_path):
    path = archive(tmp_path / 'a.tar', ('file', b'0'))
    folder = tmp_path / 'data'
    folder.mkdir()
    (folder / 'file').symlink_to('nowhere')
    with pytest.raises(DataError, match=r'data/file is there already'):
        unpack(path, folder)
    assert (folder / 'file').is_symlink()


def test_hard_link_to_nothing_is_damage(tmp_path):
    path = archive(tmp_path / 'a.tar', special('link', tarfile.LNKTYPE, 'nowhere'))
    with pytest.raises(DataError, match='damaged'):
        unpack(path, tmp_path)
    assert left_beside(path) == []


def test_two_runs_do_not_unpack_into_one_folder(tmp_path):
    path = archive(tmp_path / 'a.tar', ('set/1', b'one'))
    half = tmp_path / '.a.tar.unpacking/set/0'
    half.parent.mkdir(parents=True)
    half.write_bytes(b'half')
    with path.open('rb') as stream:
        lock(stream, 'of the other run')
        with pytest.raises(DataError, match=r'Another process is unpacking .*a\.tar'):
            unpack(path, tmp_path)
    assert half.read_bytes() == b'half'


def left_beside(path: Path) -> list[Path]:
    return [other for other in path.parent.iterdir() if other != path]


def test_rest_of_a_killed_run_is_in_nobodys_way(tmp_path):
    path = archive(tmp_path / 'a.tar', ('set/1', b'one'))
    (tmp_path / '.a.tar.unpacking/set').mkdir(parents=True)
    (tmp_path / '.a.tar.unpacking/set/0').write_bytes(b'half')
    unpack(path, tmp_path)
    assert tree(tmp_path / 'set') == {'1': b'one'}
    assert not (tmp_path / '.a.tar.unpacking').exists()


def test_room_is_looked_at_first(tmp_path, monkeypatch):
    path = archive(tmp_path / 'a.tar', ('set/1', bytes(20_000)))
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(0, 0, 10_000))
    with pytest.raises(DataError, match='Make room'):
        unpack(path, tmp_path)


def test_python_that_cannot_unpack_safely_says_so(tmp_path, monkeypatch):
    path = archive(tmp_path / 'a.tar', ('set/1', b'one'))
    monkeypatch.delattr(tarfile, 'data_filter')
    with pytest.raises(DataError, match=r'cannot unpack a\.tar safely.*tar -xf'):
        unpack(path, tmp_path)


def test_members_are_not_kept_in_memory(tmp_path):
    """A set of images has millions of them, and each takes about a thousand bytes."""
    path = archive(tmp_path / 'a.tar', *(tarfile.TarInfo(f'set/{number}') for number in range(1000)))
    tracemalloc.start()
    try:
        unpack(path, tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(list((tmp_path / 'set').iterdir())) == 1000
    assert peak < 250_000


@pytest.mark.parametrize('name', ['a.tar', 'a.tar.gz'])
def test_reading_of_a_large_archive_is_told(tmp_path, monkeypatch, name):
    content = np.random.default_rng(0).bytes(1 << 18)
    path = archive(tmp_path / name, *((f'set/{number}', content) for number in range(8)))
    told = []
    (tmp_path / 'small').mkdir()
    unpack(path, tmp_path / 'small', lambda *call: told.append(call))
    assert told == []
    monkeypatch.setattr(files, 'LONG', 1000)
    (tmp_path / 'large').mkdir()
    unpack(path, tmp_path / 'large', lambda *call: told.append(call))
    names, there, whole = zip(*told, strict=True)
    assert set(names) == {f'unpacking {name}'}
    assert set(whole) == {path.stat().st_size}
    assert list(there) == sorted(there)
    assert there[0] < path.stat().st_size / 2 < there[-1] <= path.stat().st_size
    told.clear()
    digest = files.file_digest(path, 'md5', lambda *call: told.append(call))
    assert digest == hashlib.md5(path.read_bytes()).hexdigest()
    assert told[-1] == (f'checking {name}', path.stat().st_size, path.stat().st_size)
