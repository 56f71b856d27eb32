"""Build mmdrl as OpenMMLab's tools expect it: configs, tools and model-index.yml inside, as ``mmdrl/.mim``.

A wheel gets copies. An editable install gets relative links in the source tree, so that an edited config
is the one that runs. Two more commands work around mim and MMEngine, which look for ``.mim`` in places that
depend on how the package was installed.
"""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.develop import develop
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / 'mmdrl'
MIM_PARTS = ('configs', 'tools', 'model-index.yml')


def copy_mim(target: Path) -> None:
    """Copy the parts into ``target``, in place of what was there; development scripts stay behind."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in MIM_PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns('__pycache__', 'dev'))
        else:
            shutil.copy2(source, target / name)


def link_mim() -> None:
    """Link the parts into the source tree, relative, so that the checkout may move."""
    target = PACKAGE / '.mim'
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for name in MIM_PARTS:
        (target / name).symlink_to(os.path.relpath(ROOT / name, target))


class BuildPy(build_py):
    """Puts ``.mim`` into the package."""

    def run(self) -> None:
        """Build from scratch: a module or config deleted since the last build must not come back."""
        if self.editable_mode:
            super().run()
            link_mim()
        else:
            shutil.rmtree(Path(self.build_lib) / 'mmdrl', ignore_errors=True)
            super().run()
            copy_mim(Path(self.build_lib) / 'mmdrl' / '.mim')


class Develop(develop):
    """The same for ``setup.py develop``, which runs no ``build_py``."""

    def run(self) -> None:
        """Link, then install."""
        link_mim()
        super().run()


class EditableWheel(editable_wheel):
    """Leads upstream mim and MMEngine from the metadata to the source tree."""

    def _ensure_dist_info(self) -> None:
        # They join the metadata's folder and the first line of top_level.txt: an absolute path wins.
        super()._ensure_dist_info()
        dist_info = Path(self.dist_info_dir)
        (dist_info / 'top_level.txt').write_text(f'{PACKAGE}\n')
        shutil.rmtree(dist_info / '.mim', ignore_errors=True)


class BdistWheel(bdist_wheel):
    """Leads onedl-mim to ``.mim``: it looks where the first line of RECORD is, which is the dist-info."""

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        """Make the dist-info, with a copy of ``.mim``."""
        super().egg2dist(egginfo_path, distinfo_path)
        copy_mim(Path(distinfo_path) / '.mim')


def requirements(name: str) -> list[str]:
    """Requirements of ``requirements/<name>.txt``, those of the files it includes with ``-r`` too."""
    found = []
    for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines():
        line = line.partition('#')[0].strip()
        if line.startswith('-r '):
            found += requirements(Path(line[3:].strip()).stem)
        elif line:
            found.append(line)
    return found


def version() -> str:
    """Version of the package, read without importing it."""
    scope: dict[str, str] = {}
    exec((PACKAGE / 'version.py').read_text(), scope)
    return scope['__version__']


def long_description() -> str:
    """The README."""
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.exists() else ''


setup(
    name='mmdrl',
    version=version(),
    description='Distributionally robust long-tail learning for MMPretrain',
    long_description=long_description(),
    long_description_content_type='text/markdown',
    url='https://arxiv.org/abs/2104.03066',  # the method; mim list prints it
    license='Apache-2.0',
    keywords='long-tail, imbalanced classification, distributionally robust, OpenMMLab, MMPretrain',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.10',
    packages=find_packages(include=['mmdrl', 'mmdrl.*']),
    include_package_data=False,
    package_data={'mmdrl.engine.report': ['templates/*']},
    install_requires=requirements('runtime'),
    extras_require={
        'openmmlab': requirements('openmmlab'),
        'onedl': requirements('onedl'),
        'mim': requirements('mminstall'),
        'export': requirements('export'),
        'tests': requirements('tests'),
        'dev': requirements('dev'),
        'docs': requirements('docs'),
    },
    cmdclass={
        'build_py': BuildPy,
        'develop': Develop,
        'editable_wheel': EditableWheel,
        'bdist_wheel': BdistWheel,
    },
    zip_safe=False,
)
