"""A checkpoint is data: whatever else a file asks for is refused in a sentence, wherever it is read, and not run."""

import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmpretrain
import numpy as np
import payloads
import pytest
import torch
from digits_run import ROOT, short_config
from file_server import serving
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from mmpretrain.apis import ImageClassificationInferencer
from refusals import command

from mmdrl.data_only import data_only
from mmdrl.engine.checkpoints import latest_checkpoint, read_checkpoint
from mmdrl.engine.export import export
from mmdrl.engine.predict import predict
from mmdrl.engine.publish import publish
from mmdrl.engine.rebalance import Rule, rebalance
from mmdrl.engine.representation import representation_report
from mmdrl.engine.run import evaluate, train_model
from mmdrl.errors import DataError, MMDRLError
from mmdrl.hashed_files import file_hash

pytestmark = [pytest.mark.faults, pytest.mark.host]
CONFIG = ROOT / 'configs/drl_r8_digits-lt.py'


def read_by_mmengine(path: str) -> Any:
    return CheckpointLoader.load_checkpoint(path, map_location='cpu')


@pytest.fixture
def touched(tmp_path: Path) -> Iterator[Path]:
    """The file that no payload may make."""
    torch.save({}, tmp_path / 'touched.inner')
    yield tmp_path / 'touched'
    assert not (tmp_path / 'touched').exists()


@pytest.fixture
def bad(tmp_path: Path, touched: Path) -> str:
    """A checkpoint that would touch it, and looks like any other up to there."""
    torch.save(payloads.sound() | dict(optimizer=payloads.calls(touched)['system']), tmp_path / 'bad.pth')
    return str(tmp_path / 'bad.pth')


def test_payloads_are_real(tmp_path: Path) -> None:
    for name in ('open', 'system', 'eval', 'exec', 'touch', 'memmap'):
        target = tmp_path / name
        pickle.loads(pickle.dumps(payloads.calls(target)[name]))
        assert target.exists(), name


@pytest.mark.parametrize('read', [read_checkpoint, read_by_mmengine])
def test_every_call_in_every_part_and_kind_of_file_is_refused(tmp_path: Path, touched: Path, read: Any) -> None:
    cases = {name: payloads.places(call)['message_hub'] for name, call in payloads.calls(touched).items()}
    cases |= payloads.places(payloads.calls(touched)['open'])
    files = {
        f'{case}, {kind}': blob for case, content in cases.items() for kind, blob in payloads.formats(content).items()
    }
    for name, blob in files.items():
        path = tmp_path / 'case.pth'
        path.write_bytes(blob)
        with pytest.raises(DataError, match=r'data alone, which is all that is trusted|no whole checkpoint') as raised:
            read(str(path))
        assert '\n' not in str(raised.value), name
        assert 'weights_only' not in str(raised.value), name
        assert not touched.exists(), name


@pytest.mark.parametrize('read', [read_checkpoint, read_by_mmengine])
def test_program_of_torchscript_is_refused(tmp_path: Path, read: Any) -> None:
    (tmp_path / 'program.pth').write_bytes(payloads.torchscript())
    with pytest.raises(DataError, match=r'data alone.*TorchScript'):
        read(str(tmp_path / 'program.pth'))


@pytest.mark.parametrize('read', [read_checkpoint, read_by_mmengine])
def test_array_that_takes_bytes_for_addresses_is_refused(tmp_path: Path, read: Any) -> None:
    for field, told in (('O8', "some of 'O8'"), ('f4', 'some with fields')):
        torch.save(payloads.overlaid_dtype(field), tmp_path / 'bad.pth')
        with pytest.raises(DataError, match=f'arrays of numbers and text only, got {told}'):
            read(str(tmp_path / 'bad.pth'))


@pytest.mark.parametrize('read', [read_checkpoint, read_by_mmengine])
def test_array_that_is_filled_twice_is_refused(tmp_path: Path, read: Any) -> None:
    (tmp_path / 'bad.pth').write_bytes(payloads.filled_twice())
    with pytest.raises(DataError, match='a checkpoint may hold arrays that are filled once') as raised:
        read(str(tmp_path / 'bad.pth'))
    assert 'Nothing of it was run' in str(raised.value)


def test_array_of_parts_without_size_is_refused(tmp_path: Path) -> None:
    """A million million of them take no bytes, until they become a list."""
    kind = payloads.Call(np.dtype, 'S0', False, True)
    reconstruct = np.zeros(0).__reduce__()[0]
    many = payloads.Call(reconstruct, np.ndarray, (0,), b'b', state=(1, (10**12,), kind, False, b''))
    torch.save(payloads.sound() | dict(class_counts=many), tmp_path / 'bad.pth')
    with pytest.raises(DataError, match="arrays of numbers and text only, got some of 'S0'"):
        read_checkpoint(str(tmp_path / 'bad.pth'))


def test_arrays_come_back_as_they_were_saved_and_are_saved_as_those_of_numpy(tmp_path: Path) -> None:
    arrays = [np.arange(6).reshape(2, 3), np.ones((2, 2), np.float32, order='F'), np.zeros((0, 3)), np.array([True])]
    arrays += [np.arange(3, dtype='>i4'), np.array(['a', 'bc']), np.arange(8.0)[::2]]
    scalars = [np.float32(1.5), np.int64(3), np.bool_(True), np.float64('nan')]
    torch.save(dict(arrays=arrays, scalars=scalars), tmp_path / 'first.pth')
    content = read_checkpoint(str(tmp_path / 'first.pth')) or {}
    for old, new in zip([*arrays, *scalars], [*content['arrays'], *content['scalars']], strict=True):
        np.testing.assert_array_equal(new, old, strict=old.dtype.isnative)  # NumPy itself turns bytes around
    torch.save(content, tmp_path / 'second.pth')
    plain = torch.load(tmp_path / 'second.pth', weights_only=False)  # as anybody without mmdrl
    assert [type(one) for one in plain['arrays']] == [np.ndarray] * len(arrays)


def test_packed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    torch.save(dict(state_dict=dict(weight=torch.zeros(1_000_000))), tmp_path / 'whole.pth')
    with zipfile.ZipFile(tmp_path / 'whole.pth') as old, zipfile.ZipFile(tmp_path / 'packed.pth', 'w', 8) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
    assert (tmp_path / 'packed.pth').stat().st_size < 10_000
    with pytest.raises(DataError, match='would unpack to 4,0'):
        read_checkpoint(str(tmp_path / 'packed.pth'))


@pytest.mark.parametrize('name', ['plain.pth', 'model_20260102-{}.pth'])
def test_file_behind_an_address_is_refused_alike(tmp_path: Path, bad: str, monkeypatch: Any, name: str) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    name = name.format(file_hash(Path(bad))[:8])
    with serving(files={name: Path(bad).read_bytes(), 'program.pth': payloads.torchscript()}) as server:
        with pytest.raises(DataError, match='a program'):
            read_by_mmengine(f'{server.address}/program.pth')
        for read in (read_by_mmengine, read_checkpoint):
            with pytest.raises(DataError, match='data alone'):
                read(f'{server.address}/{name}')


def test_every_way_in_refuses_it(tmp_path: Path, bad: str, touched: Path) -> None:
    images = [np.zeros((8, 8, 3), np.uint8)]

    def config(name: str, **changes: Any) -> Any:
        return short_config(tmp_path / name, **changes)

    def last() -> None:
        (tmp_path / 'last').mkdir()
        (tmp_path / 'last/last_checkpoint').write_text(bad)
        train_model(config('last'), resume='auto')

    pretrained = dict(type='Pretrained', checkpoint=bad)
    ways = {
        '--resume FILE': lambda: train_model(config('resume'), resume=bad),
        '--resume': last,
        'load_from': lambda: train_model(config('load_from', load_from=bad)),
        'Pretrained': lambda: train_model(config('pretrained', **{'model.backbone.init_cfg': pretrained})),
        'Pretrained of the host': lambda: BaseModule(init_cfg=pretrained).init_weights(),
        'test': lambda: evaluate(config('test'), bad),
        'predict': lambda: predict(config('predict'), bad, images),
        'export': lambda: export(config('export'), bad, tmp_path / 'out.onnx'),
        'rebalance': lambda: rebalance(config('rebalance'), bad, [Rule('tau-norm', 1.0)]),
        'representation': lambda: representation_report(config('representation'), bad),
        'get_model': lambda: mmpretrain.get_model(str(CONFIG), pretrained=bad),
        'inferencer': lambda: ImageClassificationInferencer(str(CONFIG), pretrained=bad, device='cpu'),
    }
    for name, go in ways.items():
        with pytest.raises(MMDRLError, match='data alone, which is all that is trusted') as raised:
            go()
        assert bad in str(raised.value), name
        assert not touched.exists(), name
    assert latest_checkpoint(str(tmp_path / 'last')) == bad


def test_switch_of_torch_that_takes_the_safety_off_changes_nothing(bad: str, monkeypatch: Any) -> None:
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    for read in (read_by_mmengine, read_checkpoint):
        with pytest.raises(DataError, match='data alone'):
            read(bad)
    with data_only(), pytest.raises(pickle.UnpicklingError):
        torch.load(bad, weights_only=False)
    assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


def test_tool_leaves_that_switch_aside_and_says_so(tmp_path: Path, bad: str, monkeypatch: Any) -> None:
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    status, said = command('test', CONFIG, bad, '--gpus', '0', cwd=tmp_path)
    told = said.strip().splitlines()
    assert (status, len(told)) == (1, 2), said
    assert told[0] == 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 is left aside: checkpoints are read as data alone.'
    assert f'error: {bad} cannot be loaded as data alone' in told[1]


def test_publishing_runs_no_config_of_a_checkpoint(tmp_path: Path, touched: Path) -> None:
    folder = tmp_path / 'run'
    folder.mkdir()
    content = payloads.sound()
    content['meta']['cfg'] = f'model = dict()\nopen({str(touched)!r}, "w").close()\n'
    torch.save(content, folder / 'epoch_1.pth')
    (folder / 'x.py').write_text('model = dict()\n')
    (folder / 'results.json').write_text('{"config": "x", "checkpoint": "epoch_1.pth", "iterations": 4, "metrics": {}}')
    with pytest.raises(MMDRLError, match=r'the config of .*epoch_1.pth.*got code in line 2'):
        publish(folder, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
