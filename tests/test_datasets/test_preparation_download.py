"""Downloads against a server that drops, lies and changes its mind: the right file in the end, or a sentence."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from file_server import FileServer, serving

from mmdrl.datasets.preparation.download import download
from mmdrl.datasets.preparation.files import RemoteFile
from mmdrl.errors import ConfigError, DataError

CONTENT = np.random.default_rng(7).bytes(3_000_000)
OTHER = np.random.default_rng(8).bytes(3_000_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server():
    with serving(files={'a.bin': CONTENT}) as served:
        yield served


def fetch(server: FileServer, folder: Path, digest: str = MD5, **options) -> Path:
    return download(RemoteFile(f'{server.address}/a.bin', digest), folder, wait=0.001, **options)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_file_arrives_and_nothing_else_stays(server, tmp_path):
    seen = []
    path = fetch(server, tmp_path / 'new', progress=lambda *step: seen.append(step))
    assert path.read_bytes() == CONTENT
    assert left(path.parent) == {'a.bin', '.checked.json'}
    assert seen[0] == ('a.bin', 0, len(CONTENT))
    assert seen[-1] == ('a.bin', len(CONTENT), len(CONTENT))
    assert all(later[1] >= earlier[1] for earlier, later in pairwise(seen))


def test_git_hash_is_that_of_git(server, tmp_path):
    blob = subprocess.run(['git', 'hash-object', '--stdin'], input=CONTENT, capture_output=True, check=True)
    file = RemoteFile(f'{server.address}/a.bin', blob.stdout.decode().strip(), 'git')
    assert download(file, tmp_path).read_bytes() == CONTENT


def test_mirror_may_have_any_letters(server, tmp_path):
    server.files['%C3%BC%20/a.bin'] = CONTENT
    assert fetch(server, tmp_path, mirror=f'{server.address}/\u00fc%20/').read_bytes() == CONTENT


def test_mirror_is_asked_for_the_file_by_its_name(server, tmp_path):
    file = RemoteFile('http://127.0.0.1:9/far/away/a.bin', MD5)
    assert download(file, tmp_path, mirror=f'{server.address}/').read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ['/a.bin']


def test_what_is_there_is_neither_asked_for_nor_read_again(server, tmp_path):
    path = fetch(server, tmp_path)
    before = path.stat()
    os.utime(path, ns=(1, before.st_mtime_ns))
    assert fetch(server, tmp_path) == path
    assert len(server.requests) == 1
    assert path.stat().st_atime_ns == 1  # nobody has read it


def test_own_copy_is_used_if_it_is_right_and_read_once(server, tmp_path):
    path = tmp_path / 'a.bin'
    path.write_bytes(CONTENT)
    fetch(server, tmp_path)
    os.utime(path, ns=(1, path.stat().st_mtime_ns))
    fetch(server, tmp_path)
    assert path.stat().st_atime_ns == 1
    assert server.requests == []


@pytest.mark.parametrize('size', [0, 1, 100])
def test_small_file(server, tmp_path, size):
    server.files['a.bin'] = CONTENT[:size]
    assert fetch(server, tmp_path, hashlib.md5(CONTENT[:size]).hexdigest()).read_bytes() == CONTENT[:size]


@pytest.mark.parametrize('was_right', [False, True])
def test_wrong_file_that_is_there_is_left_alone(server, tmp_path, was_right):
    path = tmp_path / 'a.bin'
    if was_right:  # and is changed behind the note that says so
        fetch(server, tmp_path)
        server.requests.clear()
    path.write_bytes(OTHER)
    with pytest.raises(DataError, match=r'a\.bin is not the published file.*move it away'):
        fetch(server, tmp_path)
    assert path.read_bytes() == OTHER
    assert server.requests == []


@pytest.mark.parametrize('versions', [True, False])
def test_dropped_connection_is_gone_on_with(server, tmp_path, versions):
    server.versions = versions
    server.faults = [dict(drop_after=1_000_000), dict(drop_after=500_000), {}]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked_ranges() == [None, 'bytes=1000000-', 'bytes=1500000-']


def test_next_run_goes_on_where_the_last_one_stopped(server, tmp_path):
    server.faults = [dict(drop_after=1_000_000)]
    with pytest.raises(DataError, match=r'1,000,000 of 3,000,000 bytes\. 1,000,000 bytes of it are kept'):
        fetch(server, tmp_path, retries=-1)
    assert left(tmp_path) == {'a.bin.part', 'a.bin.part.json'}
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked_ranges() == [None, 'bytes=1000000-']


def test_line_that_breaks_often_but_brings_something_is_not_given_up(server, tmp_path):
    server.faults = [dict(drop_after=100_000) for _ in range(20)]
    assert fetch(server, tmp_path, retries=1).read_bytes() == CONTENT


@pytest.mark.parametrize('fault', [dict(status=500), dict(status=503), dict(status=429), dict(drop_after=0)])
def test_trouble_that_passes_is_waited_out(server, tmp_path, fault):
    server.faults = [fault, fault]
    assert fetch(server, tmp_path, retries=2).read_bytes() == CONTENT


def test_trouble_that_stays_ends_after_the_retries(server, tmp_path):
    server.faults = [dict(status=500)] * 9
    with pytest.raises(DataError, match=r'could not be fetched.*500'):
        fetch(server, tmp_path, retries=2)
    assert len(server.requests) == 3
    assert left(tmp_path) == set()


def test_waits_double(server, tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(time, 'sleep', waits.append)
    server.faults = [dict(status=500)] * 9
    with pytest.raises(DataError):
        download(RemoteFile(f'{server.address}/a.bin', MD5), tmp_path, retries=3, wait=0.5)
    assert waits == [0.5, 1, 2]


@pytest.mark.parametrize('status', [403, 404, 410])
def test_refusal_ends_at_once_with_a_way_out(server, tmp_path, status):
    server.faults = [dict(status=status)]
    with pytest.raises(DataError, match=rf'{status}.*a\.bin elsewhere.*mirror'):
        fetch(server, tmp_path)
    assert len(server.requests) == 1
    assert left(tmp_path) == set()


def test_server_without_ranges_gives_it_all_once_more(server, tmp_path):
    server.ranges = False
    server.faults = [dict(drop_after=1_000_000)]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize('others', [1_000_000, 500_000])
def test_server_that_never_gets_further_is_given_up(server, tmp_path, others):
    server.ranges = False
    server.faults = [dict(drop_after=1_000_000), dict(drop_after=others)] * 9
    with pytest.raises(DataError, match='could not be fetched'):
        fetch(server, tmp_path, retries=2)
    assert len(server.requests) == 4  # the first brought something new


@pytest.mark.parametrize(('versions', 'requests'), [(True, 2), (False, 3)])
def test_file_that_changes_between_two_attempts_is_not_mixed(server, tmp_path, versions, requests):
    """With versions the server sends the new file at once; without, only the hash can tell."""
    server.files['a.bin'] = OTHER
    server.versions = versions
    server.faults = [dict(drop_after=1_000_000)]
    with pytest.raises(DataError):
        fetch(server, tmp_path, retries=-1)
    server.files['a.bin'] = CONTENT
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == requests


@pytest.mark.parametrize('fault', [dict(blind=True, etag='"new"'), dict(lie=5)])
def test_range_that_does_not_follow_is_not_even_read(server, tmp_path, fault):
    """From a server that forgets to compare versions, or begins elsewhere."""
    server.faults = [dict(drop_after=1_000_000), fault]
    seen = []
    assert fetch(server, tmp_path, progress=lambda _, there, whole: seen.append(there)).read_bytes() == CONTENT
    assert [there for there in seen[: seen.index(0, 1)] if there > 1_000_000] == []


@pytest.mark.parametrize('have', [len(CONTENT), len(CONTENT) + 5])
def test_part_that_is_as_long_as_the_file_or_longer(server, tmp_path, have):
    """The server answers 416; what is right is kept, what is not begins anew."""
    (tmp_path / 'a.bin.part').write_bytes((CONTENT + b'12345')[:have])
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == (1 if have == len(CONTENT) else 2)


def test_part_of_something_else_begins_anew(server, tmp_path):
    (tmp_path / 'a.bin.part').write_bytes(OTHER[:2_000_000])
    (tmp_path / 'a.bin.part.json').write_text('no json')
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert left(tmp_path) == {'a.bin', '.checked.json'}


def test_server_that_claims_more_than_it_sends_is_not_waited_for(server, tmp_path):
    server.faults = [dict(claim=10)] * 9
    server.ranges = False
    with pytest.raises(DataError, match=r'3,000,000 of 3,000,010'):
        fetch(server, tmp_path, retries=1)


def test_server_that_claims_less_than_the_file_has(server, tmp_path):
    server.faults = [dict(claim=-10)]
    with pytest.raises(DataError, match='not the published'):
        fetch(server, tmp_path)
    assert left(tmp_path) == set()


def test_length_may_be_unknown(server, tmp_path):
    server.faults = [dict(length=False)]
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_wrong_content_is_not_kept(server, tmp_path):
    server.files['a.bin'] = OTHER
    with pytest.raises(DataError, match='not the published'):
        fetch(server, tmp_path)
    assert left(tmp_path) == set()
    assert len(server.requests) == 1


def test_wrong_content_in_pieces_is_tried_once_more_only(server, tmp_path):
    server.files['a.bin'] = OTHER
    server.faults = [dict(drop_after=1_000_000), {}, dict(drop_after=1_000_000), {}]
    with pytest.raises(DataError, match='not the published'):
        fetch(server, tmp_path)
    assert len(server.requests) == 4


def test_redirects_are_followed_with_the_range(server, tmp_path):
    server.files['elsewhere'] = CONTENT
    server.faults = [
        dict(location='/elsewhere'),
        dict(drop_after=1_000_000),
        dict(location=f'{server.address}/elsewhere'),
        {},
    ]
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked_ranges()[-1] == 'bytes=1000000-'


def test_endless_redirects_end(server, tmp_path):
    server.faults = [dict(location='/a.bin')] * 99
    with pytest.raises(DataError, match='302'):
        fetch(server, tmp_path)


def test_silent_server_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr('mmdrl.datasets.preparation.transfer.TIMEOUT', 0.2)
    server.faults = [dict(hold=1_000_000), dict(hold=0)]
    with pytest.raises(DataError, match=r'timed out.*1,000,000 bytes of it are kept'):
        fetch(server, tmp_path, retries=0)


def test_nobody_there(tmp_path):
    with pytest.raises(DataError, match='refused'):
        download(RemoteFile('http://127.0.0.1:9/a.bin', MD5), tmp_path, retries=1, wait=0.001)
    assert left(tmp_path) == set()


@pytest.mark.parametrize(
    'mirror',
    [
        '/data/mirror',
        'file:///data',
        'ftp://example.org',
        '',
        'http://',
        'http://[1',
        'http://a b',
        'http://a..b',
        'http://host:99999',
        'http://name:secret@host',
        'https://host/folder?token=1',
    ],
)
def test_other_addresses_are_refused(tmp_path, mirror):
    with pytest.raises(ConfigError, match='https://host/folder'):
        download(RemoteFile('http://127.0.0.1:9/a.bin', MD5), tmp_path, mirror=mirror)


def test_full_disk_is_noticed_before_it_is_full(server, tmp_path, monkeypatch):
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(0, 0, 66_000_000))
    with pytest.raises(DataError, match=r'0\.00 GB more.*0\.07 GB are free.*Make room'):
        fetch(server, tmp_path)
    assert left(tmp_path) == set()


def test_room_for_the_rest_is_enough(server, tmp_path, monkeypatch):
    server.faults = [dict(drop_after=2_900_000)]
    with pytest.raises(DataError):
        fetch(server, tmp_path, retries=-1)
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(0, 0, (64 << 20) + 100_000))
    assert fetch(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs a device that is always full')
def test_disk_that_fills_up_ends_in_a_sentence(server, tmp_path):
    (tmp_path / 'a.bin.part').symlink_to('/dev/full')
    with pytest.raises(DataError, match=r'a\.bin failed: No space left.*untouched'):
        fetch(server, tmp_path)


def test_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DataError, match=r'failed: (Not a directory|File exists)'):
        fetch(server, tmp_path / 'file')


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_read_only_folder(server, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match='Permission denied'):
        fetch(server, tmp_path)
    tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path('/sys/kernel').is_dir(), reason='needs a folder that not even root may write to')
def test_folder_that_nobody_may_write_to(server):
    with pytest.raises(DataError, match=r'/sys/kernel/mmdrl/a\.bin failed: .*may you write there'):
        fetch(server, Path('/sys/kernel/mmdrl'))


def test_right_file_is_used_where_nothing_can_be_noted(server, tmp_path):
    (tmp_path / 'a.bin').write_bytes(CONTENT)
    (tmp_path / '.checked.json').mkdir()
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.requests == []


@pytest.mark.parametrize('note', ['no json', '[]', '{"a.bin": 3}'])
def test_spoilt_note_is_no_note(server, tmp_path, note):
    (tmp_path / '.checked.json').write_text(note)
    (tmp_path / 'a.bin').write_bytes(OTHER)
    with pytest.raises(DataError, match='not the published'):
        fetch(server, tmp_path)


@pytest.mark.parametrize('kind', ['link to nothing', 'folder', 'pipe'])
def test_name_that_something_else_has_is_left_to_it(server, tmp_path, kind):
    path = tmp_path / 'a.bin'
    {'link to nothing': lambda: path.symlink_to('nowhere'), 'folder': path.mkdir, 'pipe': lambda: os.mkfifo(path)}[
        kind
    ]()
    before = path.lstat()
    with pytest.raises(DataError, match=r'a\.bin is no file.*move it away'):
        fetch(server, tmp_path)
    assert path.lstat() == before
    assert server.requests == []


@pytest.mark.parametrize('content', [CONTENT, OTHER])
def test_file_that_appears_meanwhile_is_left_as_it_is(server, tmp_path, content):
    path = tmp_path / 'a.bin'

    def appear(*_) -> None:
        path.write_bytes(content)

    if content is CONTENT:
        assert fetch(server, tmp_path, progress=appear) == path
        assert left(tmp_path) == {'a.bin', '.checked.json'}
    else:
        with pytest.raises(DataError, match='not the published file'):
            fetch(server, tmp_path, progress=appear)
    assert path.read_bytes() == content


@pytest.mark.parametrize('address', ['http://[::1', 'http://a..b/'])
def test_redirect_to_what_is_no_address(server, tmp_path, address):
    server.faults = [dict(location=address)]
    with pytest.raises(DataError, match='could not be fetched'):
        fetch(server, tmp_path, retries=-1)


def test_two_runs_do_not_write_one_part(server, tmp_path):
    server.faults = [dict(hold=100_000)]
    with ThreadPoolExecutor() as pool:
        first = pool.submit(fetch, server, tmp_path, retries=-1)
        wait_for(tmp_path / 'a.bin.part', 100_000)
        with pytest.raises(DataError, match=r'Another process is writing .*a\.bin'):
            fetch(server, tmp_path)
        server.closing.set()
        assert isinstance(first.exception(), DataError)
    assert (tmp_path / 'a.bin.part').stat().st_size == 100_000


def wait_for(path: Path, size: int) -> None:
    for _ in range(6000):
        if path.exists() and path.stat().st_size >= size:
            return
        time.sleep(0.01)
    raise AssertionError(f'{path} has not grown to {size} bytes')


@pytest.mark.slow
def test_killed_download_is_gone_on_with(server, tmp_path):
    server.faults = [dict(hold=2_000_000)]
    code = (
        'import sys; from mmdrl.datasets.preparation.download import download;'
        'from mmdrl.datasets.preparation.files import RemoteFile; download(RemoteFile(*sys.argv[1:3]), sys.argv[3])'
    )
    arguments = [sys.executable, '-W', 'ignore', '-c', code, f'{server.address}/a.bin', MD5, str(tmp_path)]
    child = subprocess.Popen(arguments)
    try:
        wait_for(tmp_path / 'a.bin.part', 1_000_000)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not (tmp_path / 'a.bin').exists()
    kept = (tmp_path / 'a.bin.part').stat().st_size
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.asked_ranges() == [None, f'bytes={kept}-']
