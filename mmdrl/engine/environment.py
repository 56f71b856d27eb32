"""What a run was made with, for whoever wants to repeat it: command, code, machine, versions.

Nothing here may stop a run: what cannot be found out is ``None``.
"""

import json
import os
import platform
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_world_size

from mmdrl.host import LAUNCHER, REQUIRED
from mmdrl.version import __version__

_CHECKOUT = Path(__file__).parents[2]
_RECORDS = 'benchmarks/results'  # what a run leaves there is no code of the next
_CPU_INFO = Path('/proc/cpuinfo')


def describe_environment(config: str | Path | None = None) -> dict[str, Any]:
    """What a process computes with, as plain values: for every file that holds numbers.

    Args:
        config: File of the config, whose project is looked up as mmdrl's own.

    Returns:
        ``command``; ``git`` and ``project_git``, the revisions of mmdrl's checkout and of the one that the config lies
        in, as this process first found them, ``None`` if there is none; ``python``, ``platform``, ``cpu``,
        ``cpu_cores``; ``accelerator``, the name of the GPU; ``processes`` of the run, ``threads`` of each;
        ``deterministic``, the switches on which equal numbers depend; ``versions``.
    """
    project = _checkout_of(config)
    return dict(
        command=shlex.join(sys.argv),
        git=_first_revision(_CHECKOUT),
        project_git=_first_revision(project) if project and project != _CHECKOUT else None,
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=cpu_name(),
        cpu_cores=os.cpu_count(),
        accelerator=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        processes=get_world_size(),
        threads=torch.get_num_threads(),
        deterministic=dict(
            algorithms=torch.are_deterministic_algorithms_enabled(),
            cudnn=torch.backends.cudnn.deterministic,
            cudnn_benchmark=torch.backends.cudnn.benchmark,
            tf32=_allows_tf32(),
        ),
        versions=versions(),
    )


def environment_text(values: dict[str, Any]) -> str:
    """What :func:`describe_environment` has found, a line each, for a log."""
    lines = [f'    {name}: {json.dumps(value, ensure_ascii=False)}' for name, value in values.items()]
    return '\n'.join(['Made with:', *lines])


def code_in_words(values: dict[str, Any]) -> str:
    """Versions and revisions in one line."""
    known = values['versions']
    first = [name for name in known if name not in ('torchvision', 'numpy') and not name.endswith('mim')]
    parts = [f'{name} {known[name]}' for name in first]
    for name, place in (('git', 0), ('project_git', len(parts))):
        if values.get(name):
            revision = values[name]['revision'][:7] + ' with changes' * values[name]['has_changes']
            parts[place : place + 1] = [f'{parts[0]} ({revision})'] if name == 'git' else [f'project {revision}']
    return ', '.join(parts)


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
    """``revision`` of a checkout and whether its code ``has_changes``; ``None`` if it is none, or git is missing.

    Args:
        folder: Top folder of the checkout. One further up is another project's.
    """
    if not (folder / '.git').exists():
        return None
    revision = _git(folder, 'rev-parse', 'HEAD')
    changes = _git(folder, 'status', '--porcelain', '--', '.', f':(exclude){_RECORDS}')
    if revision is None or changes is None:
        return None
    return dict(revision=revision.strip(), has_changes=bool(changes.strip()))


_first_revision = cache(git_revision)


def _allows_tf32() -> bool | None:
    """Whether a GPU may round what it multiplies; torch has two switches, and will not tell if they contradict."""
    try:
        return torch.backends.cuda.matmul.allow_tf32
    except RuntimeError:
        return None


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


def _checkout_of(config: str | Path | None) -> Path | None:
    """Top folder of the checkout that a file lies in."""
    if config is None:
        return None
    folders = Path(config).resolve().parents
    return next((folder for folder in folders if (folder / '.git').exists()), None)


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
