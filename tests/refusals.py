"""What a tool says to bad input: its own ``run`` in this process, and what it has done to the files of a folder."""

import contextlib
import hashlib
import importlib.util
import io
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple
from unittest import mock
from uuid import uuid4

from command import ROOT
from mmengine.config import Config

FOLDERS = (ROOT / 'tools', ROOT / 'tools/analysis')
CONFIG = """
_base_ = '{root}/configs/digits_lt/drl_r8_digits-lt-ir50.py'
experiment_name = '{name}'
log_level = 'WARNING'
train_cfg = dict(max_epochs=3)
class_aware = dict(type='mmdrl.ClassAwareSampler', num_samples=64)
default_hooks = dict(
    summary=dict(figures=False),
    stages=dict(
        stages=[
            dict(name='warm-up', epochs=1, loss_weights=dict(loss_dr=0.0)),
            dict(name='feature', epochs=1, sampler=class_aware),
            dict(name='classifier', epochs=1, sampler=class_aware, freeze=['backbone'], loss_weights=dict(loss_dr=0.0)),
        ]
    ),
)
"""
TRAIN = ('mine.py', '--gpus', '0', '--work-dir', 'run')


class Said(NamedTuple):
    """What a sentence for a mistake must say, as patterns that are looked for in it.

    Attributes:
        expected: What should have been there.
        got: What was there.
        remedy: What to do; none where the first says it all.
    """

    expected: str
    got: str
    remedy: str = ''

    def missing(self, text: str) -> list[str]:
        """Which parts are not said in the text, whose line breaks count as spaces."""
        line = ' '.join(text.split())
        return [part for part in self if not re.search(part, line)]


def write_config(folder: Path, more: str = '') -> Path:
    """``mine.py``, the digits job of three epochs, with further lines at its end."""
    path = folder / 'mine.py'
    # MMEngine keeps what writes logs by the name of the config and the second, and would hand out an earlier test's.
    path.write_text(CONFIG.format(root=ROOT, name=uuid4().hex) + more)
    return path


def command(name: str, *arguments: object, cwd: Path) -> tuple[int, str]:
    """Exit status, and output with errors, of ``tools/<name>.py`` as if it were started in a folder.

    What escapes the tool as a traceback is part of the output.
    """
    tool = _module(name)
    written, before = io.StringIO(), Path.cwd()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    words = [f'{name}.py', *map(str, arguments)]
    with (
        mock.patch.object(sys, 'argv', words),
        mock.patch.dict(os.environ),
        # MMEngine lays the config out by yapf for every runner, which takes longer than most refusals.
        mock.patch.object(Config, 'pretty_text', property(_text)),
        contextlib.redirect_stdout(written),
        contextlib.redirect_stderr(written),
    ):
        os.chdir(cwd)
        try:
            if hasattr(tool, 'run'):
                tool.run(tool.main, tool.parse_args())
                status = 0
            else:
                status = tool.main(tool.parse_args())
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
            written.write(end.code if isinstance(end.code, str) else '')
        except Exception:
            status = 1
            written.write(traceback.format_exc())
        finally:
            os.chdir(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return status, written.getvalue()


def trained(base: Path) -> Path:
    """A folder with ``mine.py``, its run in ``run``, and the last checkpoint as ``good.pth``; made once."""
    folder = base / 'trained'
    if not folder.exists():
        folder.mkdir()
        write_config(folder)
        status, text = command('train', *TRAIN, cwd=folder)
        assert status == 0, text
        shutil.copy(folder / 'run/epoch_3.pth', folder / 'good.pth')
    return folder


def files_below(folder: Path) -> dict[str, object]:
    """Kind, size, content and time of change of everything in a folder; folders have no time."""
    return {str(path.relative_to(folder)): _state(path) for path in sorted(folder.rglob('*'))}


def refuse(name: str, arguments: Sequence[object], said: Said, cwd: Path, status: int = 1) -> str:
    """A tool must end with a status and a sentence, and leave every file as it was; returns what it said."""
    before = files_below(cwd)
    code, text = command(name, *arguments, cwd=cwd)
    assert 'Traceback' not in text, text
    assert code == status, (code, text)
    begins = [match.end() for match in re.finditer(r'^(\S+: )?error: ', text, re.MULTILINE)]
    last = text[begins[-1] :] if begins else text
    assert not said.missing(last), (said.missing(last), last)
    assert files_below(cwd) == before
    return last


def _text(cfg: Config) -> str:
    return '\n'.join(f'{name} = {value!r}' for name, value in cfg.to_dict().items())


def _state(path: Path) -> object:
    if path.is_symlink():
        return 'link', os.readlink(path)
    if not path.is_file():
        return 'folder' if path.is_dir() else 'other'
    status = path.stat()
    content = hashlib.sha256(path.read_bytes()).hexdigest() if status.st_mode & 0o400 else ''
    return status.st_size, status.st_mtime_ns, status.st_mode, content


def _module(name: str) -> ModuleType:
    """A tool, imported once."""
    for folder in map(str, FOLDERS):
        if folder not in sys.path:
            sys.path.append(folder)
    key = f'tool_{Path(name).stem}'
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, ROOT / 'tools' / f'{name}.py')
        assert spec is not None
        assert spec.loader is not None
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]
