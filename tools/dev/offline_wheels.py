"""Wheels that a machine without network lacks: found by resolving, fetched here, installed there.

Here needs pip with network and ``packaging``; there, Python and pip alone.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import Any

LIST = 'wheels.txt'
MARK = 'mmdrl_offline.pth'
PLATFORMS = ('manylinux_2_28_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64')


def missing(report: dict[str, Any], present: list[str], python: str) -> dict[str, str]:
    """Versions of what a resolution would install beyond what is there, and beyond what that needs itself.

    Args:
        report: Of ``pip install --report``.
        present: Names of the distributions that are there.
        python: Version of Python there, ``'3.12'``.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found = {str(canonicalize_name(entry['metadata']['name'])): entry['metadata'] for entry in report['install']}
    there, waiting = set(), [str(canonicalize_name(name)) for name in present]
    surroundings = dict(python_version=python, python_full_version=f'{python}.0', extra='')
    while waiting:
        name = waiting.pop()
        there.add(name)
        for line in found.get(name, {}).get('requires_dist', []):
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate(surroundings):
                waiting += {str(canonicalize_name(needed.name))} - there
    return {name: metadata['version'] for name, metadata in sorted(found.items()) if name not in there}


def fetch(requirements: list[str], present: list[str], python: str, folder: Path) -> None:
    """Fill a new folder with the wheels that are missing, and a list of them.

    Args:
        requirements: As pip takes them, options included.
        present: Names of the distributions that are there.
        python: Version of Python there.
        folder: Where to.
    """
    folder.mkdir(parents=True)
    target = ['--only-binary=:all:', '--python-version', python]
    target += [option for platform in PLATFORMS for option in ('--platform', platform)]
    with tempfile.TemporaryDirectory() as name:
        report = Path(name, 'report.json')
        resolve = ['install', '--dry-run', '--ignore-installed', '--target', name, '--report', str(report)]
        _pip(sys.executable, [*resolve, *target, *requirements])
        wanted = missing(json.loads(report.read_text()), present, python)
    lines = [f'{name}=={version}' for name, version in wanted.items()]
    _pip(sys.executable, ['download', '--no-deps', '--dest', str(folder), *target, *lines])
    (folder / LIST).write_text('\n'.join(lines) + '\n')


def install(folder: Path, environment: Path, checkout: Path) -> Path:
    """The Python of a new environment that has the wheels, what this Python has, and a checkout of mmdrl.

    Args:
        folder: Of the wheels and their list.
        environment: Where to; one that this has made before is replaced.
        checkout: Top folder of mmdrl.
    """
    if environment.exists() and not any(environment.glob(f'lib/*/site-packages/{MARK}')):
        sys.exit(f'error: {environment} is there already, and was not made by this. Take another --environment.')
    venv.EnvBuilder(system_site_packages=True, clear=True).create(environment)
    python = environment / 'bin' / 'python'
    site = environment / 'lib' / f'python{sys.version_info.major}.{sys.version_info.minor}' / 'site-packages'
    # Packages of the system are seen anyway, those of an environment that this Python belongs to are not.
    paths = {sysconfig.get_path('purelib'), sysconfig.get_path('platlib')}
    (site / MARK).write_text('\n'.join([str(checkout), *sorted(paths)]) + '\n')
    offline = ['install', '--no-index', '--no-deps', '--ignore-installed', '--find-links', str(folder)]
    _pip(str(python), [*offline, '-r', str(folder / LIST)])
    return python


def _pip(python: str, arguments: list[str]) -> None:
    done = subprocess.run(
        [python, '-m', 'pip', *arguments, '--quiet', '--disable-pip-version-check'], capture_output=True, text=True
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith('ERROR')] or done.stderr.splitlines()[-3:]
        sys.exit(f'error: pip {arguments[0]} has failed. {" ".join(lines)}')
