"""A checkpoint whose name holds its hash is read only if it has that hash, wherever it is from."""

import hashlib
import io
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import torch
from digits_run import short_config
from file_server import FileServer, serving
from mmengine.runner import CheckpointLoader, load_checkpoint

import mmdrl.models  # noqa: F401 registers the loaders
from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.run import evaluate
from mmdrl.errors import DataError
from mmdrl.hashed_files import fetch, named_hash

pytestmark = pytest.mark.host


def content() -> bytes:
    stream = io.BytesIO()
    torch.save(dict(meta={}, state_dict=dict(weight=torch.ones(1, 2), bias=torch.zeros(1))), stream)
    return stream.getvalue()


CONTENT = content()
FLIPPED = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
NAME = f'model_20260102-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth'


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder in which torch's hub keeps checkpoints."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    return tmp_path / 'torch/hub/checkpoints'


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(files={NAME: CONTENT, 'plain.pth': CONTENT}) as served:
        yield served


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('drl_r8_digits-lt_20261121-59704b5d.pth', '59704b5d'),
        ('https://host/a/resnet50_8xb32_in1k_20210831-ea4938fc.pth', 'ea4938fc'),
        ('epoch_50.pth', None),
        ('resnet18-5c106cde.pth', None),  # torchvision's way, which torch looks at itself
        ('x_20261121-59704B5D.pth', None),
        ('x_20261121-59704b5d.pth.tar', None),
        ('x_2026-59704b5d.pth', None),
    ],
)
def test_hash_of_a_name(name: str, expected: str | None) -> None:
    assert named_hash(name) == expected


@pytest.mark.parametrize('read', [read_checkpoint, lambda path: CheckpointLoader.load_checkpoint(path)])
def test_file_that_is_not_what_its_name_promises_is_refused(tmp_path: Path, read) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    assert read(str(tmp_path / NAME))['state_dict']['weight'].sum() == 2
    (tmp_path / NAME).write_bytes(FLIPPED)
    with pytest.raises(DataError, match=f'begins with {NAME[-12:-4]}, as its name says, got .*download it again'):
        read(str(tmp_path / NAME))


@pytest.mark.parametrize('read', [read_checkpoint, lambda path: CheckpointLoader.load_checkpoint(path)])
def test_right_file_of_an_address_loads_and_is_kept(server: FileServer, cache: Path, read) -> None:
    for _ in range(2):
        assert read(f'{server.address}/{NAME}')['state_dict']['weight'].sum() == 2
    assert (cache / NAME).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_flipped_byte_of_an_address_is_refused_and_not_kept(server: FileServer, cache: Path) -> None:
    server.files[NAME] = FLIPPED
    model = torch.nn.Linear(2, 1)
    with pytest.raises(DataError, match='does not begin with'):
        load_checkpoint(model, f'{server.address}/{NAME}')
    assert not list(cache.iterdir())
    server.files[NAME] = CONTENT
    load_checkpoint(model, f'{server.address}/{NAME}', strict=True)
    assert model.weight.sum() == 2


def test_broken_file_in_the_cache_is_fetched_anew(server: FileServer, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(CONTENT[:100])
    load_checkpoint(torch.nn.Linear(2, 1), f'{server.address}/{NAME}', strict=True)
    assert (cache / NAME).read_bytes() == CONTENT


def test_half_a_transfer_is_not_kept(server: FileServer, cache: Path) -> None:
    server.faults.append(dict(drop_after=100))
    with pytest.raises(DataError, match='Was the line cut'):
        fetch(f'{server.address}/{NAME}')
    assert fetch(f'{server.address}/{NAME}').read_bytes() == CONTENT


def test_several_at_once_fetch_once(server: FileServer, cache: Path) -> None:
    threads = [Thread(target=fetch, args=(f'{server.address}/{NAME}',)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1
    assert (cache / NAME).read_bytes() == CONTENT


def test_other_names_are_left_to_the_host(server: FileServer, cache: Path) -> None:
    assert CheckpointLoader.load_checkpoint(f'{server.address}/plain.pth')['meta'] == {}
    server.files['plain.pth'] = FLIPPED
    assert CheckpointLoader.load_checkpoint(f'{server.address}/plain.pth')['meta'] == {}  # of the cache
    with pytest.raises(FileNotFoundError):
        CheckpointLoader.load_checkpoint('/nowhere/plain.pth')


@pytest.mark.parametrize(
    ('address', 'message'),
    [
        ('{}/other_20260102-00000000.pth', 'was not given: 404'),
        ('http://127.0.0.1:9/other_20260102-00000000.pth', 'failed: .*refused'),
        ('{}/', 'names no file'),
    ],
)
def test_address_that_gives_nothing_is_told(server: FileServer, cache: Path, address: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_checkpoint(address.format(server.address))


def test_our_tools_look_into_what_an_address_gives(server: FileServer, cache: Path, tmp_path: Path) -> None:
    """Before a model is loaded with it: this one is of another model."""
    with pytest.raises(DataError, match='does not belong to this config'):
        evaluate(short_config(tmp_path / 'test'), f'{server.address}/{NAME}')


@pytest.mark.parametrize(
    'address',
    [
        'http://[bad/{name}',
        'http://127.0.0.1:port/{name}',
        'http://127.0.0.1:1/a b/{name}',
        'http://127.0.0.1:1/\u00e4{name}',
        'http://ex..ample/{name}',
    ],
)
@pytest.mark.parametrize('name', [NAME, 'plain.pth'])
def test_address_that_is_none_ends_in_a_sentence(cache: Path, address: str, name: str) -> None:
    with pytest.raises(DataError, match=r'^Fetching .* failed: \S'):
        read_checkpoint(address.format(name=name))


@pytest.mark.parametrize(
    'reply',
    [
        b'garbage\r\n\r\n',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc',
        b'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc',
    ],
)
def test_server_that_speaks_no_http_ends_in_a_sentence(cache: Path, reply: bytes) -> None:
    with socket.create_server(('127.0.0.1', 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(reply)

        thread = Thread(target=answer)
        thread.start()
        with pytest.raises(DataError, match=r'^Fetching .* failed: \S'):
            read_checkpoint(f'http://127.0.0.1:{listening.getsockname()[1]}/{NAME}')
        thread.join()
    assert not (cache / NAME).exists()


def test_half_a_file_whose_name_promises_nothing_can_be_got_rid_of(server: FileServer, cache: Path) -> None:
    server.faults = [dict(drop_after=100)]
    with pytest.raises(DataError, match=r'Remove .*plain\.pth.*fetched anew'):
        read_checkpoint(f'{server.address}/plain.pth')
    (cache / 'plain.pth').unlink()
    assert read_checkpoint(f'{server.address}/plain.pth')
