"""Arrays, lists and reports of strangers: no objects are made of them, and none takes more memory than it should."""

import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import payloads
import pytest
import torch
from file_server import serving

from mmdrl.datasets import label_files
from mmdrl.datasets.arrays.array_file import read_arrays
from mmdrl.datasets.arrays.array_pickle import read_array_pickle
from mmdrl.datasets.label_files import read_labels
from mmdrl.datasets.long_tail.position_file import read_positions
from mmdrl.engine.predictions import PREDICTIONS, read_predictions
from mmdrl.engine.report import write_report
from mmdrl.engine.representation import read_reports
from mmdrl.engine.results import read_results
from mmdrl.errors import DataError
from mmdrl.hashed_files import fetch

pytestmark = pytest.mark.faults

READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    'predictions': (PREDICTIONS, read_predictions),
    'images': ('images.npz', read_arrays),
    'labels': ('labels.npz', read_labels),
    'positions': ('positions.npz', lambda path: read_positions(path, '')),
}


@pytest.mark.parametrize('reader', READERS)
def test_objects_in_arrays_are_not_made(tmp_path: Path, reader: str) -> None:
    name, read = READERS[reader]
    touched = tmp_path / 'touched'
    for call in payloads.calls(touched).values():
        values = np.array([call], dtype=object)
        names = dict(predictions=('label', 'linear'), images=('images', 'labels')).get(reader, ('labels',))
        np.savez(tmp_path / name, **dict.fromkeys(names, values))
        with pytest.raises(DataError):
            read(tmp_path / name)
        assert not touched.exists()


@pytest.mark.parametrize('name', ['open', 'system', 'eval', 'memmap', 'getattr_chain'])
def test_pickles_of_cifar_are_opened_by_a_reader_that_calls_nothing(tmp_path: Path, name: str) -> None:
    touched = tmp_path / 'touched'
    content = dict(data=payloads.calls(touched)[name], labels=[0], state_dict=0)
    (tmp_path / 'data_batch_1').write_bytes(payloads.formats(content)['pickle'])
    with pytest.raises(DataError, match='refused'):
        read_array_pickle(tmp_path / 'data_batch_1')
    assert not touched.exists()


def headed(shape: str, dtype: str = '<i8') -> bytes:
    """An array whose header promises what does not come."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(1, np.int64))
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    body = stream.getvalue()
    length = int.from_bytes(body[8:10], 'little')
    return body[:10] + header.ljust(length - 1).encode() + b'\n' + body[10 + length :]


@pytest.mark.parametrize(
    'shape', ['(1000000000000000,)', '(-1,)', '(10000000000000000000000,)', '(2, 4611686018427387904)']
)
@pytest.mark.parametrize('reader', READERS)
def test_absurd_shapes_are_told(tmp_path: Path, reader: str, shape: str) -> None:
    name, read = READERS[reader]
    with zipfile.ZipFile(tmp_path / name, 'w') as archive:
        names = dict(predictions=('label',), images=('images', 'labels')).get(reader, ('labels',))
        for member in names:
            archive.writestr(f'{member}.npy', headed(shape))
    with pytest.raises(DataError, match=r'cannot be read|must be'):
        read(tmp_path / name)


def test_packed_predictions_that_would_fill_the_memory_are_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / PREDICTIONS, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('label.npy', headed('(1,)'))
    content = bytearray((tmp_path / PREDICTIONS).read_bytes())
    place = content.rindex(b'PK\x01\x02') + 24  # the size in the list of members
    content[place : place + 4] = (2**31).to_bytes(4, 'little')
    (tmp_path / PREDICTIONS).write_bytes(content)
    with pytest.raises(DataError, match='would unpack to 2,147,483,648 bytes'):
        read_predictions(tmp_path)


def test_packed_list_that_would_fill_the_memory_is_not_unpacked(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(label_files, '_LARGEST', 1000)
    (tmp_path / 'list.txt.xz').write_bytes(lzma.compress(b'\n' * 10_000_000))
    with pytest.raises(DataError, match='unpacks to more than 1,000 bytes'):
        read_labels(tmp_path / 'list.txt.xz')


@pytest.mark.parametrize(
    'text', ['[' * 100_000, '{"metrics": {"all": 1e999}}x', '\x00', '{"a":' * 100_000, 'NaN', '"a"']
)
def test_json_of_strangers_ends_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / 'results.json').write_text(text)
    (tmp_path / 'representation.json').write_text(text)
    for read in (read_results, read_reports):
        with pytest.raises(DataError, match=r'Expected (JSON|a JSON object|reports)'):
            read(tmp_path)


def test_report_of_a_strange_run_runs_nothing_and_shows_markup_as_text(tmp_path: Path) -> None:
    run, touched = tmp_path / 'run', tmp_path / 'touched'
    (run / '1/vis_data').mkdir(parents=True)
    (run / '1/vis_data/scalars.json').write_text('{"loss": 1.0, "iter": 1, "step": 1}\n')
    evil = '<script>alert(1)</script>{{ 7 * 7 }}'
    results = dict(config='x', metrics=dict(all=1.0), log_folders=['1'], cpu=evil, command=evil)
    (run / 'results.json').write_text(json.dumps(results))
    (run / 'x.py').write_text(f'open({str(touched)!r}, "w")\n')
    torch.save(payloads.sound() | dict(optimizer=payloads.calls(touched)['open']), run / 'epoch_1.pth')
    page = write_report([run], tmp_path / 'report').read_text()
    assert not touched.exists()
    assert '<script>alert(1)' not in page
    assert '&lt;script&gt;alert(1)' in page
    assert 'It is not run' in page


@pytest.mark.parametrize('place', ['file:///etc/hostname', 'ftp://127.0.0.1/x', 'data:,x', 'gopher://127.0.0.1/'])
def test_redirect_to_what_is_no_address_of_the_web_is_refused(tmp_path: Path, monkeypatch: Any, place: str) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    refused = pytest.raises(DataError, match=r'was not given|failed')
    with serving(files={'a.pth': b'x'}, faults=[dict(location=place)]) as server, refused:
        fetch(f'{server.address}/a.pth')
    assert not [*(tmp_path / 'hub/checkpoints').glob('*')]
