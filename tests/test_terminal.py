"""Runs as a person sees them: in a terminal, and in a pipe."""

import re
import sys
from pathlib import Path

import pytest
from command import ROOT, SHORT_DIGITS, tool
from terminal import Seen, in_terminal

CONFIG = ROOT / 'configs/drl_r8_digits-lt.py'
TRAIN = (sys.executable, '-W', 'ignore', ROOT / 'tools/train.py', CONFIG, '--gpus', 0)
OPTIONS = ('--cfg-options', *SHORT_DIGITS, 'default_hooks.summary.figures=False', 'train_cfg.val_interval=1')
pytestmark = [pytest.mark.slow, pytest.mark.host]


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('terminal')


@pytest.fixture(scope='module')
def seen(folder: Path) -> Seen:
    return in_terminal(*TRAIN, '--work-dir', 'run', *OPTIONS, cwd=folder, columns=80)


def test_terminal_has_a_header_a_line_per_epoch_and_validation_and_tables(seen: Seen) -> None:
    assert seen.status == 0, seen.raw
    text = '\n'.join(seen.lines)
    first = next(number for number, line in enumerate(seen.lines) if line.startswith('epoch 1/3'))
    assert first <= 16, text
    for words in ('75,002 parameters', '331 images of 10 classes', '2 many, 3 medium, 5 few-shot', 'warm-up 1 epoch'):
        assert words in ' '.join(text.split())
    epochs = [line for line in seen.lines if line.startswith('epoch ')]
    assert [re.match(r'epoch (\d)/3  (\S+)', line).groups() for line in epochs] == [  # type: ignore[union-attr]
        (str(number), name)
        for number, stage in enumerate(('warm-up', 'feature', 'classifier'), 1)
        for name in (stage, 'validation')
    ]
    assert re.search(r'lr 0\.1  loss [\d.]+  0:0\d:\d\d left$', epochs[0])
    assert all(f'{stage}: linear' in text for stage in ('warm-up', 'feature', 'classifier'))
    assert 'Epoch(' not in text
    assert ' - mmengine - ' not in text


def test_bars_were_drawn_and_wiped_and_the_cursor_is_back(seen: Seen) -> None:
    for title in ('epoch 1/3  warm-up', 'validation'):
        assert re.search(rf'\x1b\[2K{title} .*━', seen.raw)
    assert '━ ' not in '\n'.join(line for line in seen.lines if not line.startswith('┏'))
    assert seen.has_cursor


def test_log_file_has_everything(seen: Seen, folder: Path) -> None:
    text = next((folder / 'run').glob('*/*.log')).read_text()
    for words in ('System environment', 'Config:', 'Hooks will be executed', 'Exp name: ', 'Saving checkpoint at 3'):
        assert words in text
    assert text.count('Epoch(train)') == text.count('Epoch(val)') == 3


def test_test_shows_its_checkpoint_and_tables(seen: Seen, folder: Path) -> None:
    command = (sys.executable, '-W', 'ignore', ROOT / 'tools/test.py', CONFIG, 'run/epoch_3.pth', '--gpus', 0)
    tested = in_terminal(*command, cwd=folder, columns=40)
    assert tested.status == 0, tested.raw
    assert re.search(r'\x1b\[2Ktest .*━', tested.raw)
    assert any(re.match(r'weights +run/epoch_3.pth', line) for line in tested.lines)
    assert any('linear' in line for line in tested.lines)
    assert 'Epoch(test)' not in tested.raw
    assert len(tested.lines) < 50


def test_pipe_has_the_header_and_the_lines_of_the_log(folder: Path) -> None:
    answer = tool('train', *TRAIN[4:], '--work-dir', 'pipe', *OPTIONS, cwd=folder, FORCE_COLOR='1')
    assert answer.returncode == 0, answer.stdout
    lines = answer.stdout.splitlines()
    first = next(number for number, line in enumerate(lines) if 'Epoch(train)' in line)
    assert first <= 14, answer.stdout
    assert '\x1b[2K' not in answer.stdout
    assert '\x1b[?25' not in answer.stdout
    assert all(words not in answer.stdout for words in ('Exp name', 'Saving checkpoint', 'System environment'))
    assert answer.stdout.count('Epoch(train)') == answer.stdout.count('Epoch(val)') == 3


def test_interrupted_run_tells_the_command_to_go_on(tmp_path: Path) -> None:
    stopped = in_terminal(*TRAIN, cwd=tmp_path, columns=400, interrupt_at='epoch  3/50')
    assert stopped.status == 130, stopped.raw
    assert stopped.has_cursor
    last = next(line for line in reversed(stopped.lines) if line)
    where, _, command = last.partition(' Go on with: ')
    assert re.fullmatch(
        r"\^?C?Stopped\. It was in epoch 3 of 50 \(stage 'warm-up'\); the last checkpoint is interrupted\.pth\.", where
    )
    assert command == f'python {ROOT}/tools/train.py {CONFIG} --gpus 0 --resume'
    assert 'Traceback' not in stopped.raw


@pytest.mark.distributed
@pytest.mark.parametrize(
    ('options', 'interrupt_at', 'status', 'last'),
    [
        ((), 'epoch  2/50', 130, r'Stopped\. It was in epoch 2 of 50 .* --gpus 2 --device cpu --resume'),
        (('--cfg-options', 'model.backbone.type=None2'), '', 1, r'error: The config does not fit: None2 .*'),
    ],
)
def test_last_line_of_several_processes_is_one_sentence(
    tmp_path: Path, options: tuple[str, ...], interrupt_at: str, status: int, last: str
) -> None:
    command = (*TRAIN[:-1], 2, '--device', 'cpu', *options)
    ended = in_terminal(*command, cwd=tmp_path, columns=400, interrupt_at=interrupt_at)
    lines = [line for line in ended.lines if line]
    assert ended.status == status
    assert re.fullmatch(rf'(\^C)?{last}', lines[-1]), ended.raw
    assert 'Traceback' not in ended.raw
    assert sum(line.startswith(('error', 'Stopped', '^CStopped')) for line in lines) == 1, ended.raw
