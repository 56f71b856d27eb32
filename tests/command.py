"""Runs commands the way a user types them, in a folder of their own."""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
MIM = (sys.executable, '-W', 'ignore', '-c', 'import sys; from mim.cli import cli; sys.argv[0] = "mim"; cli()')

# The digits job in seconds: two epochs of the first stages and one of the last, 64 images each.
SHORT_DIGITS = (
    'train_cfg.max_epochs=3',
    *(f'default_hooks.stages.stages.{stage}.epochs=1' for stage in range(3)),
    *(f'default_hooks.stages.stages.{stage}.sampler.num_samples=64' for stage in (1, 2)),
)


def run(*command: object, cwd: Path, timeout: float = 500, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; output and errors together in ``stdout``."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        timeout=timeout,
        env={**os.environ, 'OMP_NUM_THREADS': '1', **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def heed_interrupts() -> None:
    """For ``preexec_fn``: a shell that puts the tests in the background has their children ignore the keyboard."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def tool(name: str, *arguments: object, cwd: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run ``tools/<name>.py``."""
    return run(sys.executable, '-W', 'ignore', ROOT / 'tools' / f'{name}.py', *arguments, cwd=cwd, **settings)  # type: ignore[arg-type]


def mim(*arguments: object, cwd: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run ``mim ...``."""
    return run(*MIM, *arguments, cwd=cwd, **settings)  # type: ignore[arg-type]


def benchmark(name: str) -> ModuleType:
    """``benchmarks/<name>.py``, which finds its neighbours as if it were run."""
    folder = str(ROOT / 'benchmarks')
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)
