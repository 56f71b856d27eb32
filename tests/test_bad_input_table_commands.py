"""A table of command lines that ask for what there is not: a sentence, exit status 1 or 2, and no file changed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from command import tool
from PIL import Image
from refusals import Said, files_below, refuse, trained, write_config

pytestmark = pytest.mark.faults
FREE = 'Is there room, and may you write there'
OTHER = 'Give it another name'
# argparse words these, differently from version to version of Python.
CHOICE, INTEGER, MISSING = 'invalid choice', 'invalid int value', 'the following arguments are required'

COMMANDS: dict[str, Said] = {
    'train no.py --gpus 0': Said('a file or the name of a config', r'Expected no\.py', 'mim search mmdrl'),
    'train sub --gpus 0': Said('a file or the name of a config', 'Expected sub', 'mim search mmdrl'),
    'train mmdrl::no.py --gpus 0': Said('a file or the name of a config', 'mmdrl::no', 'mim search mmdrl'),
    'train drl_r8_digit-lt.py --gpus 0': Said(
        'a file or the name', 'drl_r8_digit-lt', r'such a name: drl_r8_digits-lt\.py'
    ),
    'train nopackage::no.py --gpus 0': Said(
        'Expected nopackage to be installed', 'nopackage::no', 'Install it, or give'
    ),
    'train mmpretrain::no/no.py --gpus 0': Said('cannot be read', r'no/no\.py" does not exist', 'Mend it'),
    'train good.pth --gpus 0': Said('Only py/yml/yaml/json', r'good\.pth cannot be read', 'Mend it'),
    'train mine.py --gpus -1': Said('must not be negative', 'got -1', 'Use --gpus 0 for the CPU'),
    'train mine.py --gpus two': Said(INTEGER, "'two'"),
    'train mine.py --gpus 0 --device cuda': Said('means the CPU', '--device says cuda', 'Leave one of them out'),
    'train mine.py --gpus 0 --launcher pytorch': Said('torchrun has started', 'this is none', 'Leave it out'),
    'train mine.py --gpus 0 --launcher ssh': Said(CHOICE, "'ssh'"),
    'train mine.py --gpus 0 --amp': Said('--amp needs a GPU', 'this machine has none', 'Leave --amp out'),
    'train mine.py more --gpus 0': Said('unrecognized arguments', 'more'),
    'train mine.py --gpus 0 --work-dir file': Said('to write to the work folder', 'file, which fails', 'exists'),
    f'train mine.py --gpus 0 --work-dir {"x" * 300}': Said('names of at most 255 bytes', 'got .xxx', 'Mend it'),
    'train mine.py --gpus 0 --work-dir a\0b': Said('the path of a folder', r'a\\x00b', 'Mend it'),
    'train mine.py --gpus 0 --cfg-options': Said('--cfg-options', 'at least one argument'),
    'train mine.py --gpus 0 --cfg-options =3': Said('expected KEY=VALUE', "got '=3'", r'a number, a string or a list'),
    'train mine.py --gpus 0 --cfg-options a..b=3': Said('expected KEY=VALUE', r"got 'a\.\.b=3'", 'a list'),
    'train mine.py --gpus 0 --cfg-options a=[1,(2': Said('expected KEY=VALUE', r"got 'a=\[1,\(2'", 'a list'),
    'train mine.py --gpus 0 --cfg-options train_cfg': Said('expected KEY=VALUE', "got 'train_cfg'", 'a list'),
    'train mine.py --gpus 0 --cfg-options param_scheduler.9.x=1': Said('fits nothing', 'param_scheduler', 'must exist'),
    'train mine.py --gpus 0 --resume lost.pth': Said(r'Expected a checkpoint at lost\.pth', 'found none'),
    'train mine.py --gpus 0 --resume mine.py': Said('loaded as data alone', r'mine\.py', 'Nothing of it was run|again'),
    'test mine.py --gpus 0': Said(MISSING, 'checkpoint'),
    'test mine.py lost.pth --gpus 0': Said(r'Expected a checkpoint at lost\.pth', 'found none'),
    'test good.pth mine.py --gpus 0': Said('Only py/yml/yaml/json', r'good\.pth cannot be read', 'Mend it'),
    'test mine.py good.pth --gpus 0 --work-dir file': Said(
        'to write to the work folder', 'file, which fails', 'exists'
    ),
    'test mine.py good.pth --gpus 0 --out no/m.json': Said('--out: expected the folder no', 'found none'),
    'test mine.py good.pth --gpus 0 --out sub': Said('Expected --out to name a file', 'got the folder sub'),
    'test mine.py good.pth --gpus 0 --out good.pth': Said(r'--out good\.pth would overwrite', r'good\.pth\.', OTHER),
    'test mine.py good.pth --gpus 0 --out mine.py': Said(r'--out mine\.py would overwrite', r'mine\.py\.', OTHER),
    'predict mine.py good.pth lost.png': Said(r'lost\.png', 'does not exist'),
    'predict mine.py good.pth empty.jpg': Said(r'empty\.jpg', 'is empty'),
    'predict mine.py good.pth file': Said('file', 'is no image'),
    'predict mine.py good.pth sub': Said('Expected images in the folder sub', r'found none of \.jpg'),
    'predict mine.py good.pth a.png --topk 0': Said('must be at least 1', 'got 0 and 32'),
    'predict mine.py good.pth a.png --topk x': Said(INTEGER, "'x'"),
    'predict mine.py good.pth a.png --batch-size 0': Said('must be at least 1', 'got 5 and 0'),
    'predict mine.py good.pth a.png --out x.txt': Said(r'--out to end in \.json or \.csv', r'got x\.txt'),
    'predict mine.py good.pth a.png --out file/x.csv': Said(r'Writing file/x\.csv failed', 'exists', FREE),
    'predict mine.py good.pth a.png --tau 1': Said(
        "tau=1.0 is for classifier='adjusted'", 'classifier=None', 'Leave it out'
    ),
    'predict mine.py good.pth a.png --classifier adjusted --tau nan': Said('a finite number and not neg', 'got nan'),
    'predict mine.py a.png a.png': Said('loaded as data alone|no whole', r'a\.png', 'Nothing of it was run|again'),
    'predict mine.py good.pth a.png --device tpu': Said(CHOICE, "'tpu'"),
    'export mine.py good.pth': Said(MISSING, '--out'),
    'export mine.py good.pth --out x.txt': Said(r'must end in \.onnx or \.pt', r'got x\.txt'),
    'export mine.py good.pth --out good.pth': Said(r'must end in \.onnx or \.pt', r'got good\.pth'),
    'export mine.py good.pth --out x.pt --size 0 8': Said('at least 1 x 1', 'got 0 x 8'),
    'export mine.py good.pth --out x.onnx --opset 3': Said('must lie in 17 to 20', 'got 3'),
    'export mine.py lost.pth --out x.pt': Said(r'Expected a checkpoint at lost\.pth', 'found none'),
    'publish_model nope --out o': Said('the work folder of a run at nope', 'found none'),
    'publish_model sub --out o': Said('the results of a finished run', 'found none', 'Has that run reached'),
    'publish_model run --out o --date 20261340': Said('--date as YYYYMMDD', "got '20261340'"),
    'publish_model run --out o --name a/b': Said('letters, digits and', "got 'a/b'"),
    'publish_model run --out o --checkpoint mine.py': Said('loaded as data alone', r'mine\.py', 'Nothing of it|again'),
    'publish_model run --out o --url-prefix ftp://x': Said('like https://host/folder', "got 'ftp://x'"),
    'publish_model run --out file': Said('Writing into file failed', 'exists', FREE),
    'analysis/describe no.py': Said('a file or the name of a config', r'Expected no\.py', 'mim search mmdrl'),
    'analysis/describe mine.py --gpus -2': Said('0 or more', 'got -2'),
    'analysis/describe mine.py --json mine.py': Said('would overwrite the config', r'--json mine\.py', OTHER),
    'analysis/class_stats nope.txt': Said('There is no file', r'nope\.txt'),
    'analysis/class_stats file': Said('expected "path label" with the label a number', "line 1.*got 'mine'"),
    'analysis/class_stats bad.json': Said("must be JSON with 'images'", 'JSONDecodeError'),
    'analysis/class_stats list.txt --many 1 --few 5': Said('not above --many', 'got 5 and 1'),
    'analysis/class_stats list.txt --out x.doc': Said(r'to end in one of \.', r'got x\.doc'),
    'analysis/class_stats list.txt --json list.txt': Said('would overwrite a source', r'list\.txt', OTHER),
    'analysis/class_stats list.txt --json file/x': Said('Writing file/x failed', 'exists', FREE),
    'analysis/compare_runs nope': Said('the results of a finished run', 'found none', 'Has that run reached'),
    'analysis/compare_runs run --out x.doc': Said(r'to end in one of \.png', r'got x\.doc'),
    'analysis/figures nope': Said('the work folder of a run', 'no folder nope', 'Is the path right'),
    'analysis/figures sub --out o': Said('Expected a run in sub', 'found neither', 'Give the work folder itself'),
    'analysis/figures run --format bmp': Said(CHOICE, "'bmp'"),
    'analysis/report file': Said('the work folder of a run', 'no folder file', 'Is the path right'),
    'analysis/report run --out file': Said('a folder for the report', 'got the file file', 'Give another one'),
    'analysis/rebalance good.pth mine.py': Said('Only py/yml/yaml/json', r'good\.pth cannot be read', 'Mend it'),
    'analysis/rebalance mine.py good.pth --out good.pth': Said('would overwrite', r'good\.pth\.', OTHER),
    'analysis/rebalance mine.py good.pth --out mine.py': Said('would overwrite', r'mine\.py\.', OTHER),
    'analysis/rebalance mine.py good.pth --tau-norm nan': Said('a finite number, not negative', 'got nan'),
    'analysis/rebalance mine.py good.pth --choose best': Said(CHOICE, "'best'"),
    'analysis/representation mine.py': Said('a checkpoint after the config', 'got none'),
    'analysis/representation good.pth mine.py': Said(
        'a config .* before the checkpoint', r'good\.pth', 'or the folder'
    ),
    'analysis/representation mine.py good.pth -k 0': Said('at least 1', 'got 0'),
    'analysis/representation mine.py good.pth --json good.pth': Said('would overwrite', r'good\.pth\.', OTHER),
    'analysis/representation mine.py good.pth --figures file': Said('to name a folder', 'got the file file'),
    'prepare_data nothing --root r': Said(CHOICE, "'nothing'"),
    'prepare_data cifar10': Said(MISSING, '--root'),
    'prepare_data cifar10 --root file': Said('Making the folder file failed', 'exists', FREE),
    'prepare_data cifar10 --root r --retries -1': Said('a whole number of at least 0', 'got -1'),
}
OF_ARGPARSE = (CHOICE, INTEGER, MISSING, 'unrecognized', '--cfg-options')


@pytest.fixture
def folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the commands name and that is there."""
    source = trained(tmp_path_factory.getbasetemp())
    shutil.copytree(source / 'run', tmp_path / 'run')
    shutil.copy(source / 'good.pth', tmp_path)
    write_config(tmp_path)
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'empty.jpg').write_bytes(b'')
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / 'a.png')
    for name, text in {'file': 'mine', 'list.txt': 'a.jpg 0\n', 'bad.json': '{'}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize('line', COMMANDS)
def test_command_that_cannot_be_done_is_refused(folder: Path, line: str) -> None:
    name, *words = line.split(' ')
    said = COMMANDS[line]
    refuse(name, words, said, folder, status=2 if said.expected.startswith(OF_ARGPARSE) else 1)


def test_process_says_the_same(folder: Path) -> None:
    line = 'test mine.py good.pth --gpus 0 --out good.pth'
    name, *words = line.split(' ')
    before = files_below(folder)
    answer = tool(name, *words, cwd=folder)
    assert answer.returncode == 1
    last = answer.stdout.strip().splitlines()[-1]
    assert last.startswith('error: ')
    assert 'Traceback' not in answer.stdout
    assert not COMMANDS[line].missing(last)
    assert files_below(folder) == before
