"""Checkpoints that are whole at every moment: the files of the storage, and the hook that saves by it."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import STAGES, short_config, train
from mmengine.config import Config
from mmengine.fileio import get_file_backend
from mmengine.runner import find_latest_checkpoint

from mmdrl.engine.atomic_files import ATOMIC, note_last, remove_leftovers
from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.hooks import checkpoint as module
from mmdrl.engine.hooks.checkpoint import OUTDATED, AtomicCheckpointHook, PatientRemoval
from mmdrl.engine.workshops import workshop
from mmdrl.errors import DataError

PLAN = [{**STAGES[1], 'epochs': 4, 'sampler': {**STAGES[1]['sampler'], 'num_samples': 64}}]  # 4 epochs of 2 iterations
SAVING = dict(interval=1, max_keep_ckpts=1, save_best='all', rule='greater')


@pytest.fixture(autouse=True)
def plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """MMEngine lays the config out by yapf for every checkpoint, most of the time that these runs would take."""
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: str(self.to_dict())))


def config(folder: Path, kind: str = 'mmdrl.AtomicCheckpointHook', **changes: Any) -> Config:
    cfg = short_config(folder, PLAN)
    cfg.train_cfg.val_interval = 1
    cfg.default_hooks.checkpoint = dict(type=kind, **{**SAVING, **changes})
    return cfg


# The storage.


def test_storage_replaces_a_file_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / 'new/folder/a.pth'
    storage = get_file_backend(str(path), backend_args=ATOMIC)
    storage.put(b'before', path)
    with path.open('rb') as reader:
        storage.put(memoryview(b'after'), str(path))
        assert reader.read() == b'before'  # who has opened the old one reads it to its end
    assert path.read_bytes() == b'after'
    storage.put_text('ä', path)
    assert path.read_text(encoding='utf-8') == 'ä'
    assert [path.name for path in path.parent.iterdir()] == ['a.pth']


def test_storage_writes_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / 'there').mkdir()
    (tmp_path / 'a.pth').symlink_to('there/b.pth')
    get_file_backend(backend_args=ATOMIC).put(b'1', tmp_path / 'a.pth')
    assert (tmp_path / 'a.pth').is_symlink()
    assert (tmp_path / 'there/b.pth').read_bytes() == b'1'


def test_storage_says_in_a_sentence_what_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(DataError, match=r'Writing .*file/a\.pth \(2\.5 MB\) failed: .*; .* free there') as caught:
        get_file_backend(backend_args=ATOMIC).put(bytes(2_500_000), tmp_path / 'file/a.pth')
    assert isinstance(caught.value.__cause__, OSError)


def test_noted_checkpoint_is_the_one_that_the_host_finds(tmp_path: Path) -> None:
    note_last(tmp_path, tmp_path / 'epoch_3.pth')
    assert find_latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_3.pth')


def test_leftovers_go_unless_a_process_is_writing_them(tmp_path: Path) -> None:
    for name in ('.epoch_1.pth.part', '.last_checkpoint.part', '.epoch_2.pth.part', '.notes.part', 'a.pth.part'):
        (tmp_path / name).write_bytes(b'half')
    with (tmp_path / '.epoch_2.pth.part').open('r+b') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert {path.name for path in remove_leftovers(tmp_path)} == {'.epoch_1.pth.part', '.last_checkpoint.part'}
    assert {path.name for path in tmp_path.iterdir()} == {'.epoch_2.pth.part', '.notes.part', 'a.pth.part'}
    assert len(remove_leftovers(tmp_path)) == 1
    assert remove_leftovers(tmp_path / 'none') == []


def test_workshop_of_a_killed_process_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    with workshop(tmp_path, '.a[1]-') as first:
        name = first.name
    (tmp_path / name).mkdir()  # what a killed process has left
    (tmp_path / name / 'file').touch()
    (tmp_path / f'{name[:-1]}#').symlink_to(tmp_path)
    (tmp_path / '.a[1]-original').mkdir()  # somebody else's
    with workshop(tmp_path, '.a[1]-') as first:
        assert not (tmp_path / name).exists()
        (first / 'file').touch()
        with workshop(tmp_path, '.a[1]-') as second:
            assert first != second
            assert (first / 'file').exists()
        assert not second.exists()
    assert {path.name for path in tmp_path.iterdir()} == {f'{name[:-1]}#', '.a[1]-original'}


# The hook.


def test_removal_waits_and_spares_what_is_needed_again_and_what_lies_elsewhere(tmp_path: Path) -> None:
    (tmp_path / 'run').mkdir()
    for path in ('a.pth', 'run/a.pth', 'run/b.pth', 'run/c.pth'):
        (tmp_path / path).touch()
    (tmp_path / 'run/d.pth').mkdir()  # as deepspeed saves
    storage = PatientRemoval(get_file_backend(str(tmp_path)), str(tmp_path / 'run'))
    for path in (tmp_path / 'a.pth', '../a.pth', 'b.pth', 'c.pth', 'd.pth', 'never.pth'):
        storage.remove(path)
    assert storage.isfile(tmp_path / 'run/a.pth')
    storage.remove_now(needed=['c.pth'])
    assert sorted(path.name for path in (tmp_path / 'run').iterdir()) == ['c.pth']
    assert (tmp_path / 'a.pth').exists()
    storage.remove_now()
    assert (tmp_path / 'run/c.pth').exists()


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        (dict(), ATOMIC),
        (dict(out_dir='elsewhere'), ATOMIC),
        (dict(backend_args=dict(backend='petrel', path_mapping=None)), dict(backend='petrel', path_mapping=None)),
        (dict(backend_args=dict(backend='local')), dict(backend='local')),
        (dict(out_dir='s3://bucket/runs'), None),
        (dict(file_client_args=dict(backend='disk')), None),
    ],
)
def test_storage_of_the_user_stays(settings: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert AtomicCheckpointHook(**settings).backend_args == expected


_watchers: list[Callable[[str, tuple[Any, ...]], None]] = []


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    for watcher in _watchers:
        watcher(event, arguments)


@contextmanager
def watched(check: Callable[[], str], folder: Path) -> Iterator[list[str]]:
    """What is wrong right before anything changes in a folder, over all changes that this process makes."""
    wrong: list[str] = []
    is_checking = False

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal is_checking
        if is_checking or not (
            event in ('os.remove', 'os.rename', 'os.truncate') or (event == 'open' and writes(arguments))
        ):
            return
        if not str(arguments[0]).startswith(str(folder)):
            return
        is_checking = True
        wrong.append(check())
        is_checking = False

    if not _watchers:
        sys.addaudithook(_on_event)  # for good
    _watchers.append(look)
    try:
        yield wrong
    finally:
        _watchers[_watchers.index(look)] = lambda event, arguments: None


def writes(arguments: tuple[Any, ...]) -> bool:
    return bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))


def what_is_missing(folder: Path) -> str:
    """In words, what of the last checkpoint and the best of which it speaks a resumed run would miss."""
    try:
        last = (folder / 'last_checkpoint').read_text()
        content = read_checkpoint(last) or {}
        runtime = content['message_hub']['runtime_info']
        if 'best_ckpt' in runtime:
            read_checkpoint(runtime['best_ckpt'])
    except (OSError, DataError) as error:
        return str(error)
    return ''


@pytest.mark.parametrize('kind', ['mmdrl.AtomicCheckpointHook', 'CheckpointHook'])
def test_at_every_change_the_last_checkpoint_and_its_best_are_whole(tmp_path: Path, kind: str) -> None:
    """Looked at before each opening, renaming and removing; with MMEngine's own hook something is missing."""
    folder = tmp_path / 'run'
    with watched(lambda: what_is_missing(folder), folder) as wrong:
        train(config(folder, kind))
    first = wrong.index('')  # before it there was no checkpoint
    assert len(wrong[first:]) > 15
    assert (set(wrong[first:]) == {''}) == (kind != 'CheckpointHook')


@pytest.mark.host
@pytest.mark.parametrize('changes', [{}, dict(max_keep_ckpts=2, interval=2, save_best=['all', 'ncm/all'])])
def test_what_stays_is_what_stays_with_the_hook_of_the_host(tmp_path: Path, changes: dict[str, Any]) -> None:
    found = {}
    for kind in ('mmdrl.AtomicCheckpointHook', 'CheckpointHook'):
        runner = train(config(tmp_path / kind, kind, **changes))
        names = {path.name for path in (tmp_path / kind).glob('*.pth')}
        states = {name: read_checkpoint(str(tmp_path / kind / name)) or {} for name in names}
        found[kind] = names, states, runner.message_hub.get_info('keep_ckpt_ids')
        assert (tmp_path / kind / 'last_checkpoint').read_text() == str(tmp_path / kind / 'epoch_4.pth')
        assert not list((tmp_path / kind).glob('.*'))
    (names, states, kept), (wanted, expected, ids) = found.values()
    assert names == wanted
    assert kept == ids
    for name in names:
        torch.testing.assert_close(states[name]['state_dict'], expected[name]['state_dict'], rtol=0, atol=0)


def test_a_run_ended_before_it_removed_the_old_ones_removes_them_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(self: PatientRemoval, needed: Any = ()) -> None:
        if self.waiting:
            raise KeyboardInterrupt

    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/.epoch_9.pth.part').write_bytes(b'half')  # of a run before that
    with monkeypatch.context() as patch:
        patch.setattr(module.PatientRemoval, 'remove_now', end)
        with pytest.raises(KeyboardInterrupt):
            train(config(tmp_path / 'run', save_best=None))
    assert {path.name for path in (tmp_path / 'run').glob('epoch_*')} == {'epoch_1.pth', 'epoch_2.pth'}
    assert not (tmp_path / 'run/.epoch_9.pth.part').exists()
    cfg = config(tmp_path / 'run', save_best=None, interval=10)
    cfg.resume = True
    train(cfg)
    assert {path.name for path in (tmp_path / 'run').glob('epoch_*')} == {'epoch_4.pth'}


def test_a_checkpoint_cannot_have_other_files_removed(tmp_path: Path) -> None:
    """Its lists of what is outdated or was the best before may have been written by anybody."""
    outside, inside = tmp_path / 'outside.pth', tmp_path / 'run/notes.txt'
    train(config(tmp_path / 'run', max_keep_ckpts=4))
    outside.touch()
    inside.touch()
    path = tmp_path / 'run/epoch_2.pth'
    content = read_checkpoint(str(path)) or {}
    content['message_hub']['resumed_keys'][OUTDATED] = True
    content['message_hub']['runtime_info'] |= {
        OUTDATED: [str(outside), '../outside.pth', 'notes.txt', 'epoch_1.pth'],
        'best_ckpt': str(outside),
        'best_score': -1.0,
        'keep_ckpt_ids': ['../../outside', 2],
    }
    torch.save(content, path)
    cfg = config(tmp_path / 'run')
    cfg.resume, cfg.load_from = True, str(path)
    train(cfg)
    assert outside.exists()
    assert inside.exists()
    assert not (tmp_path / 'run/epoch_1.pth').exists()  # what is a checkpoint beside it may go
