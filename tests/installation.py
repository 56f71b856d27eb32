"""Installing the project the way users do, each time into an environment of its own, without the network."""

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ('mmdrl', 'configs', 'tools', 'requirements', 'setup.py', 'pyproject.toml', 'MANIFEST.in', 'LICENSE')
OFFLINE = ('--no-deps', '--no-build-isolation')


def copy_sources(target: Path) -> Path:
    """Copy of what is installed from a checkout, for building leaves traces."""
    for name in (*SOURCES, 'README.md', 'model-index.yml'):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns('__pycache__', '.mim'))
        elif source.exists():
            shutil.copy2(source, target / name)
    return target


def make_environment(target: Path) -> tuple[Path, Path]:
    """Fresh environment that sees the packages of the running one behind its own: interpreter and ``site-packages``.

    Its ``bin`` has ``mim``, too, for who activates it.
    """
    venv.create(target, symlinks=True)
    site = Path(sysconfig.get_path('purelib', 'posix_prefix', {'base': str(target), 'platbase': str(target)}))
    behind = Path(sysconfig.get_path('purelib'))
    (site / 'behind.pth').write_text(f'{behind}\n')
    # Folders named in a .pth have theirs ignored, but MMEngine needs the distutils that setuptools' one provides.
    shutil.copy2(behind / 'distutils-precedence.pth', site)
    python, mim = target / 'bin' / 'python', target / 'bin' / 'mim'
    mim.write_text(f'#!{python}\nimport sys\n\nfrom mim.cli import cli\n\nsys.argv[0] = "mim"\ncli()\n')
    mim.chmod(0o755)
    return python, site


def run(*command: object, cwd: Path, **environment: str) -> str:
    """Output of a command that succeeds, without the paths that this process adds for Python."""
    kept = {key: value for key, value in os.environ.items() if key not in ('PYTHONPATH', 'PYTHONHOME')}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env={**kept, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
