"""A table of damaged checkpoints: neither resumed from nor tested, and nothing is left behind or changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from refusals import TRAIN, Said, command, refuse, trained, write_config

pytestmark = pytest.mark.faults
ANOTHER = 'resume from another checkpoint'
TAKE = 'take another'
WHOLE = 'Copy or download it again'


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, ``good.pth``."""
    return trained(tmp_path_factory.getbasetemp())


def put(*way: str, value: Any) -> Callable[[dict], None]:
    """A checkpoint with another value somewhere."""

    def change(content: dict) -> None:
        for key in way[:-1]:
            content = content[key]
        content[way[-1]] = value

    return change


def drop(*way: str) -> Callable[[dict], None]:
    """A checkpoint without one of its entries."""

    def change(content: dict) -> None:
        for key in way[:-1]:
            content = content[key]
        del content[way[-1]]

    return change


def weight(convert: Callable[[torch.Tensor], Any]) -> Callable[[dict], None]:
    """A checkpoint whose classifier is of another kind."""

    def change(content: dict) -> None:
        content['state_dict']['head.fc.weight'] = convert(content['state_dict']['head.fc.weight'])

    return change


DENSE = 'head.fc.weight as a dense tensor with content'
REAL = 'head.fc.weight as real numbers'
# What both resuming and testing read.
WEIGHTS: dict[str, tuple[Callable[[dict], Any], Said]] = {
    'meta a word': (put('meta', value='x'), Said("'meta' as a dict", "got 'x'", TAKE)),
    'meta a list': (put('meta', value=['epoch', 'iter']), Said("'meta' as a dict", r"got \['epoch'", TAKE)),
    'no weights': (drop('state_dict'), Said('belong to this config', 'is missing in it', r'48 of 48|in the model')),
    'weights a list': (put('state_dict', value=[1, 2]), Said('dict of tensors by name', r'got \[1, 2\]', TAKE)),
    'weights by number': (put('state_dict', 3, value=1), Said('dict of tensors by name', 'got 3', TAKE)),  # type: ignore[arg-type]
    'weights nothing': (weight(lambda tensor: None), Said(DENSE, 'got None', TAKE)),
    'weights a number': (weight(lambda tensor: 3), Said(DENSE, 'got 3', TAKE)),
    'weights sparse': (weight(lambda tensor: tensor.to_sparse()), Said(DENSE, 'sparse_coo', TAKE)),
    'weights without content': (weight(lambda tensor: tensor.to('meta')), Said(DENSE, 'on meta', TAKE)),
    'weights whole numbers': (weight(lambda tensor: tensor.long()), Said(REAL, r'got torch\.int64', TAKE)),
    'weights complex': (weight(lambda tensor: tensor.cfloat()), Said(REAL, r'got torch\.complex64', TAKE)),
    'weights nan': (weight(lambda tensor: tensor / 0 * 0), Said(r'head\.fc\.weight is not finite', 'diverged', TAKE)),
    'weights of 7 classes': (
        weight(lambda tensor: tensor[:7]),
        Said(r'\(10, 64\) in the model', r'head\.fc\.weight is \(7, 64\)', 'belong to this config'),
    ),
}
PROGRESS: dict[str, tuple[Callable[[dict], Any], Said]] = {
    'no meta': (drop('meta'), Said('how far its training had come', 'a model only', 'use --cfg-options load_from')),
    'epoch a word': (put('meta', 'epoch', value='x'), Said("'epoch' of its meta as a whole", "got 'x'", ANOTHER)),
    'epoch before the first': (put('meta', 'epoch', value=-1), Said('at least 0', 'got -1', ANOTHER)),
    'epoch of another position': (put('meta', 'epoch', value=1), Said('of its meta, 1', 'got 3', ANOTHER)),
    'iteration nothing': (put('meta', 'iter', value=None), Said("'iter' of its meta as", 'got None', ANOTHER)),
    'iteration nan': (put('meta', 'iter', value=float('nan')), Said("'iter' of its meta as", 'got nan', ANOTHER)),
    'seed a word': (put('meta', 'seed', value='x'), Said("'seed' of its meta as a whole", "got 'x'", ANOTHER)),
    'no history': (drop('message_hub'), Said("'message_hub' as a dict", 'got None', ANOTHER)),
    'history a number': (put('message_hub', value=7), Said("'message_hub' as a dict", 'got 7', ANOTHER)),
    'optimiser a word': (put('optimizer', value='x'), Said("'optimizer' as a dict", "got 'x'", ANOTHER)),
    'optimiser empty': (put('optimizer', value={}), Said("'param_groups'", 'a dict of nothing', ANOTHER)),
    'optimiser without groups': (put('optimizer', 'param_groups', value=[]), Said("'param_groups'", 'got', ANOTHER)),
    'optimiser without state': (put('optimizer', 'state', value=7), Said("a dict 'state'", 'got a dict', ANOTHER)),
    'schedules a word': (put('param_schedulers', value='x'), Said('a list of dicts', "got 'x'", ANOTHER)),
    'position a word': (put('position', value='x'), Said('by_epoch as bool', "got 'x'", ANOTHER)),
    'position negative': (put('position', 'batches', value=-1), Said('batches as int, at least 0', 'got -1', ANOTHER)),
    'position outside': (put('position', 'batches', value=99), Said('inside its epoch of', 'got 99', ANOTHER)),
    'stages a word': (put('stages', value='x'), Said("'stages' as a dict", "got 'x'", ANOTHER)),
    'stage beyond': (put('stages', 'current', value=9), Said('one of 3 stages', 'got 9', ANOTHER)),
    'stages without seeds': (drop('stages', 'seeds'), Said('one seed, or None, for each of 3', 'got None', ANOTHER)),
    'stages without plan': (
        put('stages', 'plan', value=7),
        Said("the config has stages 'warm-up'", 'with no stages', 'Resume with the config'),
    ),
    'best a number': (put('stages', 'best', value=7), Said("'best' of its 'stages' as a dict", 'got 7', ANOTHER)),
    'loss a number': (put('stages', 'loss', value=7), Said("'loss' of its 'stages' as a dict", 'got 7', ANOTHER)),
}
FILES: dict[str, tuple[Callable[[bytes], bytes], Said]] = {
    'empty': (lambda good: b'', Said('no whole checkpoint', 'EOFError|empty', WHOLE)),
    'half': (lambda good: good[: len(good) // 2], Said('no whole checkpoint', 'central directory', WHOLE)),
    'text': (lambda good: b'hello', Said('no whole checkpoint|data alone', r'bad\.pth', '.')),
    'a web page': (lambda good: b'<html>404</html>', Said('no whole checkpoint|data alone', r'bad\.pth', '.')),
}


def spoilt(run: Path, folder: Path, change: Callable[[dict], Any]) -> None:
    """``mine.py`` and a changed checkpoint, ``bad.pth``, in a folder."""
    content = torch.load(run / 'good.pth', weights_only=True)
    change(content)
    torch.save(content, folder / 'bad.pth')
    write_config(folder)


@pytest.mark.parametrize('damage', [*WEIGHTS, *PROGRESS])
def test_damaged_checkpoint_is_not_resumed_from(run: Path, tmp_path: Path, damage: str) -> None:
    change, said = (WEIGHTS | PROGRESS)[damage]
    spoilt(run, tmp_path, change)
    refuse('train', [*TRAIN, '--resume', 'bad.pth'], said, tmp_path)


@pytest.mark.parametrize('damage', WEIGHTS)
def test_damaged_weights_are_not_tested(run: Path, tmp_path: Path, damage: str) -> None:
    change, said = WEIGHTS[damage]
    spoilt(run, tmp_path, change)
    refuse('test', ['mine.py', 'bad.pth', *TRAIN[1:]], said, tmp_path)


@pytest.mark.parametrize('tool', ['predict', 'export', 'analysis/rebalance', 'analysis/representation'])
def test_every_tool_refuses_weights_of_whole_numbers(run: Path, tmp_path: Path, tool: str) -> None:
    change, said = WEIGHTS['weights whole numbers']
    spoilt(run, tmp_path, change)
    (tmp_path / 'image.png').write_bytes(b'')
    rest = {'predict': ['image.png'], 'export': ['--out', 'model.pt']}.get(tool, [])
    refuse(tool, ['mine.py', 'bad.pth', *rest], said, tmp_path)


@pytest.mark.parametrize('damage', FILES)
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_file_that_is_no_checkpoint_is_refused(run: Path, tmp_path: Path, damage: str, tool: str) -> None:
    change, said = FILES[damage]
    (tmp_path / 'bad.pth').write_bytes(change((run / 'good.pth').read_bytes()))
    write_config(tmp_path)
    words = [*TRAIN, '--resume', 'bad.pth'] if tool == 'train' else ['mine.py', 'bad.pth', *TRAIN[1:]]
    refuse(tool, words, said, tmp_path)


@pytest.mark.parametrize(('content', 'got'), [([1], 'a list'), (3, 'a int'), (None, 'a NoneType')])
def test_file_of_something_else_is_refused(run: Path, tmp_path: Path, content: Any, got: str) -> None:
    torch.save(content, tmp_path / 'bad.pth')
    write_config(tmp_path)
    refuse('test', ['mine.py', 'bad.pth', *TRAIN[1:]], Said('a dict with state_dict in bad', f'got {got}'), tmp_path)


def test_folder_in_place_of_a_checkpoint_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / 'bad.pth').mkdir()
    write_config(tmp_path)
    refuse('test', ['mine.py', 'bad.pth', *TRAIN[1:]], Said(r'Expected a checkpoint at bad\.pth', 'found'), tmp_path)


def test_checkpoint_that_is_sound_is_resumed_from_and_tested(run: Path, tmp_path: Path) -> None:
    """The table would be worth nothing if the unchanged file were refused, too."""
    spoilt(run, tmp_path, lambda content: None)
    for tool, words in (('train', [*TRAIN, '--resume', 'bad.pth']), ('test', ['mine.py', 'bad.pth', *TRAIN[1:]])):
        status, text = command(tool, *words, cwd=tmp_path)
        assert status == 0, text
