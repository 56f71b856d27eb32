"""What a run was made with, for whoever wants to repeat it: command, code, machine, versions.

Nothing here may stop a run: what cannot be found out is ``None``.
"""

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from mmdrl.host import LAUNCHER, REQUIRED
from mmdrl.version import __version__

_CHECKOUT = Path(__file__).parents[2]
_CPU_INFO = Path('/proc/cpuinfo')


def describe_environment() -> dict[str, Any]:
    """Command, git revision of mmdrl's checkout if it is one, machine and versions, as plain values."""
    return dict(
        command=shlex.join(sys.argv),
        git=git_revision(_CHECKOUT),
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=cpu_name(),
        cpu_cores=os.cpu_count(),
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Versions of mmdrl, torch, NumPy and the OpenMMLab packages, by the names of their distributions."""
    found = {'mmdrl': __version__}
    for name in ('torch', 'torchvision', 'numpy'):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    for package in (*REQUIRED, LAUNCHER):
        found |= package.installed()
    return found


def git_revision(folder: Path) -> dict[str, Any] | None:
    """``revision`` of a checkout and whether it ``has_changes``; ``None`` if the folder is none, or git is missing.

    Args:
        folder: Top folder of the checkout. One further up is another project's.
    """
    if not (folder / '.git').exists():
        return None
    revision, changes = _git(folder, 'rev-parse', 'HEAD'), _git(folder, 'status', '--porcelain')
    if revision is None or changes is None:
        return None
    return dict(revision=revision.strip(), has_changes=bool(changes.strip()))


def cpu_name() -> str | None:
    """What the processor calls itself, as far as the system tells."""
    try:
        lines = _CPU_INFO.read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
    return next(named, None) or platform.processor() or platform.machine() or None


def device_name(device: torch.device) -> str:
    """Name of the accelerator that a process computes on, ``'cpu'`` without one."""
    return torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type


def _git(folder: Path, *command: str) -> str | None:
    try:
        done = subprocess.run(
            ['git', '-C', str(folder), *command],
            env={**os.environ, 'GIT_OPTIONAL_LOCKS': '0'},
            capture_output=True,
            text=True,
            errors='replace',
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
