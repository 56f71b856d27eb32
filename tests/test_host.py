"""``import mmdrl`` against installed OpenMMLab packages of every kind.

Each case is a folder with real distribution metadata, seen by a fresh interpreter that sees nothing else.
"""

import os
import subprocess
import sys
from pathlib import Path

import packaging
import pytest
from packaging.requirements import Requirement

from mmdrl.host import LAUNCHER, REQUIRED

ROOT = Path(__file__).parents[1]
UPSTREAM = {'mmengine': '0.10.7', 'mmcv-lite': '2.2.0', 'mmpretrain': '1.2.0', 'openmim': '0.3.9'}
ONEDL = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'onedl-mmpretrain': '1.3.6', 'onedl-mim': '0.5.1'}
MODULES = {'openmim': 'mim'}

pytestmark = pytest.mark.host


@pytest.fixture
def import_beside(tmp_path):
    """Function that imports mmdrl beside the given distributions; returns what that wrote to stderr."""
    (tmp_path / 'packaging').symlink_to(Path(packaging.__file__).parent)
    (tmp_path / 'mmdrl').symlink_to(ROOT / 'mmdrl')

    def run(versions, without_files=()):
        for name, version in versions.items():
            metadata = tmp_path / f'{name.replace("-", "_")}-{version}.dist-info'
            metadata.mkdir()
            (metadata / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
            module = MODULES.get(name) or name.removeprefix('onedl-').partition('-')[0]
            if name not in without_files:
                (tmp_path / module / 'config').mkdir(parents=True, exist_ok=True)
                (tmp_path / module / '__init__.py').touch()
                (tmp_path / module / 'config' / '__init__.py').touch()
                (tmp_path / module / 'config' / 'utils.py').write_text('MODULE2PACKAGE = {}\n')
        code = 'import mmdrl; from mmengine.config.utils import MODULE2PACKAGE as p; assert p["mmdrl"] == "mmdrl"'
        done = subprocess.run(
            [sys.executable, '-S', '-c', code],
            env={**os.environ, 'PYTHONPATH': str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert (done.returncode == 0) == (not done.stderr)
        return done.stderr.strip().splitlines()[-1] if done.stderr else ''

    return run


FULL_MMCV = {**UPSTREAM, 'mmcv': '2.2.0'}
del FULL_MMCV['mmcv-lite']
NO_LAUNCHER = {name: version for name, version in UPSTREAM.items() if name != 'openmim'}


@pytest.mark.parametrize(
    'versions',
    [UPSTREAM, ONEDL, FULL_MMCV, NO_LAUNCHER],
    ids=['upstream', 'onedl', 'full mmcv', 'no mim'],
)
def test_complete_host_is_accepted(import_beside, versions):
    assert import_beside(versions) == ''


def test_without_host_the_message_installs_all_of_it(import_beside):
    assert import_beside({}) == (
        'mmdrl.errors.HostError: Expected mmengine >=0.10.7,<0.11, which is not installed: '
        'run `pip install "mmdrl[openmmlab]"`.'
    )


@pytest.mark.parametrize(
    ('stack', 'absent', 'command'),
    [
        (UPSTREAM, 'mmcv-lite', 'pip install "mmcv-lite>=2.0,<2.4"'),
        (ONEDL, 'onedl-mmcv', 'pip install "onedl-mmcv>=2.0,<2.4"'),
        (ONEDL, 'onedl-mmpretrain', 'pip install "onedl-mmpretrain>=1.2,<2"'),
    ],
)
def test_missing_part_comes_from_the_stack_of_the_others(import_beside, stack, absent, command):
    message = import_beside({name: version for name, version in stack.items() if name != absent})
    assert f'which is not installed: run `{command}`.' in message


@pytest.mark.parametrize(
    ('stack', 'name', 'version', 'command'),
    [
        (UPSTREAM, 'mmengine', '0.9.1', 'pip install "mmengine>=0.10.7,<0.11"'),
        (UPSTREAM, 'mmengine', '0.11.0', 'pip install "mmengine>=0.10.7,<0.11"'),
        (ONEDL, 'onedl-mmpretrain', '2.0.0', 'pip install "onedl-mmpretrain>=1.2,<2"'),
        (FULL_MMCV, 'mmcv', '1.7.2', 'pip install "mmcv>=2.0,<2.4"'),
    ],
)
def test_wrong_version_is_named_with_its_remedy(import_beside, stack, name, version, command):
    assert f'found {name} {version}: run `{command}`.' in import_beside({**stack, name: version})


def test_two_stacks_over_each_other_are_told_apart(import_beside):
    message = import_beside({**UPSTREAM, **ONEDL})
    assert 'Expected one distribution of mmengine, found mmengine 0.10.7 and onedl-mmengine 0.10.12' in message
    for name in (*UPSTREAM, *ONEDL):
        assert f' {name} ' in message.replace('`', ' ')
    assert message.endswith('and then `pip install "mmdrl[openmmlab]"`.')


def test_two_kinds_of_mmcv_are_one_too_many(import_beside):
    assert 'found mmcv-lite 2.2.0 and mmcv 2.2.0' in import_beside({**UPSTREAM, **FULL_MMCV})


@pytest.mark.parametrize('leftovers', [False, True])
def test_files_gone_with_the_other_stack_are_noticed(import_beside, tmp_path, leftovers):
    if leftovers:
        (tmp_path / 'mmpretrain' / '__pycache__').mkdir(parents=True)
    message = import_beside(UPSTREAM, without_files=['mmpretrain'])
    assert 'found mmpretrain 1.2.0 without its files' in message
    assert '`pip install --force-reinstall --no-deps "mmpretrain>=1.2,<2"`' in message


def test_import_is_light():
    code = 'import mmdrl, sys; print(*sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {'torch', 'torchvision', 'sklearn', 'cv2', 'mmcv', 'mmpretrain', 'mmdrl.models', 'mmdrl.registry'}
    assert heavy.isdisjoint(done.stdout.split())


@pytest.mark.parametrize('stack', ['openmmlab', 'onedl'])
def test_extras_install_what_the_check_accepts(stack):
    lines = (ROOT / 'requirements' / f'{stack}.txt').read_text().splitlines()
    wanted = {r.name: r for r in (Requirement(line) for line in lines if not line.startswith('#'))}
    for package in (*REQUIRED, LAUNCHER):
        name = package.upstream if stack == 'openmmlab' else package.onedl
        lowest = next(s.version for s in wanted[name].specifier if s.operator == '>=')
        assert package.accepts(lowest)
