"""Checkpoints that are not what they should be are refused in a sentence."""

from pathlib import Path

import pytest
import torch
from digits_run import short_config, train
from mmengine.runner import load_checkpoint

from mmdrl.engine.checkpoints import check_belongs, latest_checkpoint, read_checkpoint
from mmdrl.engine.run import evaluate, train_model
from mmdrl.errors import DataError

ONE_STAGE = [dict(name='only', epochs=1)]


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('checkpoints') / 'run'
    train(short_config(folder, ONE_STAGE))
    return folder / 'epoch_1.pth'


def test_whole_checkpoint_is_read(checkpoint: Path) -> None:
    assert 'head.fc.weight' in read_checkpoint(str(checkpoint))['state_dict']


@pytest.mark.parametrize('share', [0.0, 0.5, 0.999])
def test_truncated_checkpoint_is_refused(checkpoint: Path, tmp_path: Path, share: float) -> None:
    content = checkpoint.read_bytes()
    (tmp_path / 'cut.pth').write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r'cut\.pth'):
        read_checkpoint(str(tmp_path / 'cut.pth'))


@pytest.mark.parametrize('content', [b'hello', b'\x80\x02junk', bytes(1000)])
def test_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'note.pth').write_bytes(content)
    with pytest.raises(DataError, match=r'note\.pth'):
        read_checkpoint(str(tmp_path / 'note.pth'))


def test_tensor_alone_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / 'tensor.pth')
    with pytest.raises(DataError, match='got a Tensor'):
        read_checkpoint(str(tmp_path / 'tensor.pth'))


def test_other_width_and_other_model_are_named(checkpoint: Path) -> None:
    content = read_checkpoint(str(checkpoint))
    with pytest.raises(DataError, match=r'weight is missing in it, and \(2, 3\) in the model'):
        check_belongs(content, torch.nn.Linear(3, 2), 'x.pth')
    weights = {'weight': torch.zeros(5, 3), 'bias': torch.zeros(2)}
    with pytest.raises(DataError, match=r'weight is \(5, 3\) in it.*1 of 2'):
        check_belongs({'state_dict': weights}, torch.nn.Linear(3, 2), 'x.pth')


def test_checkpoint_of_other_classes_is_neither_tested_nor_resumed(checkpoint: Path, tmp_path: Path) -> None:
    change = {'model.head.num_classes': 12}
    with pytest.raises(DataError, match=r'class_counts is \(10,\) in it, and \(12,\)'):
        evaluate(short_config(tmp_path / 'test', ONE_STAGE, **change), str(checkpoint))
    with pytest.raises(DataError, match=r'class_counts is \(10,\) in it'):
        train_model(short_config(tmp_path / 'train', ONE_STAGE, **change), resume=str(checkpoint))
    assert not (tmp_path / 'train').exists()


def test_last_checkpoint_that_is_gone_is_named(tmp_path: Path) -> None:
    assert latest_checkpoint(str(tmp_path)) is None
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_9.pth'))
    with pytest.raises(DataError, match=r'epoch_9\.pth, which is gone'):
        latest_checkpoint(str(tmp_path))


def test_checkpoint_is_read_again_after_the_host_has_read_it(checkpoint: Path) -> None:
    """onedl-mmengine takes back every declared safe name after a load of its own."""
    load_checkpoint(torch.nn.Linear(1, 1), str(checkpoint), strict=False)
    assert 'head.fc.weight' in read_checkpoint(str(checkpoint))['state_dict']


@pytest.mark.parametrize('damage', ['checkpoint', 'last_checkpoint'])
def test_run_killed_while_it_wrote_resumes_from_the_whole_checkpoint_before(tmp_path: Path, damage: str) -> None:
    changes = {'default_hooks.checkpoint': dict(type='CheckpointHook', by_epoch=False, interval=4, max_keep_ckpts=2)}
    train(short_config(tmp_path / 'run', ONE_STAGE, **changes))
    folder = tmp_path / 'run'
    last = folder / ('iter_11.pth' if damage == 'checkpoint' else 'last_checkpoint')
    content = last.read_bytes()
    last.write_bytes(content[: len(content) // 2] if damage == 'checkpoint' else b'')
    assert latest_checkpoint(str(folder)) == str(folder / ('iter_8.pth' if damage == 'checkpoint' else 'iter_11.pth'))
    train_model(short_config(folder, ONE_STAGE, **changes), resume='auto')
    assert (folder / 'last_checkpoint').read_text() == str(folder / 'iter_11.pth') or damage != 'checkpoint'
    assert read_checkpoint(str(folder / 'iter_11.pth'))['position']['batches'] == 11


def test_damaged_checkpoint_without_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'iter_4.pth').write_bytes(b'half')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_4.pth'))
    with pytest.raises(DataError, match=r'iter_4\.pth'):
        read_checkpoint(str(latest_checkpoint(str(tmp_path))))
