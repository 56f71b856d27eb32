"""What mmdrl asks of the OpenMMLab packages around it, checked before anything else is imported.

Two stacks provide the same import names, upstream and its maintained fork. Installed over each other they mix
their files, and uninstalling one then breaks both. Reading the metadata of the few known distributions finds
that in milliseconds, without importing any of them.
"""

import os
from importlib import metadata
from importlib.util import find_spec
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

from mmdrl.errors import HostError
from mmdrl.import_hook import when_imported

MAX_PIXELS = 178_956_970  # of an image, above which Pillow takes it for an attack
INSTALL = 'pip install "mmdrl[openmmlab]"'


class HostPackage(NamedTuple):
    """An import name that mmdrl needs.

    Attributes:
        module: The import name.
        versions: Versions that work.
        upstream: Distribution to install where upstream's stack is in use.
        onedl: The fork's distribution.
        others: Further distributions of the same module that are as good.
    """

    module: str
    versions: str
    upstream: str
    onedl: str
    others: tuple[str, ...] = ()

    @property
    def distributions(self) -> tuple[str, ...]:
        """Every distribution that provides the module."""
        return (self.upstream, self.onedl, *self.others)

    def accepts(self, version: str) -> bool:
        """Whether a version works."""
        return SpecifierSet(self.versions).contains(version, prereleases=True)

    def installed(self) -> dict[str, str]:
        """Versions of the installed distributions, by name."""
        versions = {}
        for name in self.distributions:
            try:
                version = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
            if version:  # None: remains of an interrupted installation
                versions[name] = version
        return versions


REQUIRED = (
    HostPackage('mmengine', '>=0.10.7,<0.11', 'mmengine', 'onedl-mmengine', ('mmengine-lite',)),
    HostPackage('mmcv', '>=2.0,<2.4', 'mmcv-lite', 'onedl-mmcv', ('mmcv', 'mmcv-full')),
    HostPackage('mmpretrain', '>=1.2,<2', 'mmpretrain', 'onedl-mmpretrain'),
)
LAUNCHER = HostPackage('mim', '>=0.3.9', 'openmim', 'onedl-mim')  # may be absent


def check_host() -> None:
    """Check that one complete and recent enough set of OpenMMLab packages is installed.

    Raises:
        HostError: If a package is missing, too old, too new or provided twice. The message ends with the
            pip command that repairs it.
    """
    installed = {package: package.installed() for package in (*REQUIRED, LAUNCHER)}
    for package, found in installed.items():
        if len(found) > 1:
            names = ' '.join(name for versions in installed.values() for name in versions)
            raise HostError(
                f'Expected one distribution of {package.module}, found {_listing(found)}, '
                f'which overwrite each other: run `pip uninstall -y {names}` and then `{INSTALL}`.'
            )
    for package in REQUIRED:
        _check_package(package, installed)


def _check_package(package: HostPackage, installed: dict[HostPackage, dict[str, str]]) -> None:
    expected = f'Expected {package.module} {package.versions}'
    found = installed[package]
    spec = find_spec(package.module)
    if spec is None or spec.origin is None:  # no origin: an empty folder is left of it
        if found:
            repair = f'pip install --force-reinstall --no-deps "{_requirement(package, *found)}"'
            raise HostError(
                f'{expected}, found {_listing(found)} without its files, as another distribution of it was '
                f'uninstalled: run `{repair}`.'
            )
        others = [name for versions in installed.values() for name in versions]
        onedl = any(name.startswith('onedl-') for name in others)
        repair = f'pip install "{_requirement(package, package.onedl if onedl else package.upstream)}"'
        raise HostError(f'{expected}, which is not installed: run `{repair if others else INSTALL}`.')
    for name, version in found.items():  # at most one; none for a source tree on PYTHONPATH
        if not package.accepts(version):
            repair = f'pip install "{_requirement(package, name)}"'
            raise HostError(f'{expected}, found {_listing(found)}: run `{repair}`.')


def _requirement(package: HostPackage, name: str) -> str:
    return f'{name}{package.versions}'


def _listing(found: dict[str, str]) -> str:
    return ' and '.join(f'{name} {version}' for name, version in found.items())


def bound_pixels() -> None:
    """Let cv2 refuse images of more pixels than Pillow does, unless the environment says otherwise.

    A file of some kilobytes can be gigabytes when it is decoded. cv2 reads the variable when it is imported.
    """
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(MAX_PIXELS))


def allow_inheritance() -> None:
    """Let configs say ``_base_ = 'mmdrl::folder/config.py'``, which MMEngine allows to listed packages."""
    when_imported('mmengine.config.utils', lambda utils: utils.MODULE2PACKAGE.update(mmdrl='mmdrl'))
