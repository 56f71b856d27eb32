"""Names resolve from any scope, without ``custom_imports``."""

import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS, DefaultScope
from mmpretrain.registry import MODELS as HOST_MODELS

from mmdrl import registry
from mmdrl.models import DRHead, ResNet8

pytestmark = pytest.mark.host


@pytest.mark.parametrize('scope', ['mmengine', 'mmpretrain', 'mmdrl'])
@pytest.mark.parametrize('node', [MODELS, HOST_MODELS, registry.MODELS])
def test_prefixed_name_is_ours_from_every_registry_and_scope(node: object, scope: str) -> None:
    with DefaultScope.overwrite_default_scope(scope):
        assert node.get('mmdrl.DRHead') is DRHead
        assert isinstance(node.build(dict(type='mmdrl.ResNet8')), ResNet8)


@pytest.mark.parametrize('name', ['ResNet', 'mmpretrain.ResNet', 'GlobalAveragePooling'])
def test_bare_names_of_mmpretrain_are_found_in_our_scope(name: str) -> None:
    with DefaultScope.overwrite_default_scope('mmdrl'):
        assert registry.MODELS.get(name) is HOST_MODELS.get(name)
        assert registry.MODELS.get(name) is not None


def test_bare_names_of_mmengine_are_found_in_our_scope() -> None:
    assert registry.HOOKS.get('CheckpointHook') is HOOKS.get('CheckpointHook')


def test_our_name_wins_over_mmpretrains_in_our_scope() -> None:
    assert registry.MODELS.get('ResNet8') is ResNet8


@pytest.mark.parametrize('node', [MODELS, DATASETS, METRICS])
def test_unknown_name_is_found_nowhere(node: object) -> None:
    assert node.get('mmdrl.NoSuchThing') is None
    assert registry.MODELS.get('NoSuchThing') is None


def test_inherited_dicts_resolve_bare_names_of_mmpretrain() -> None:
    """``_base_ = 'mmdrl::...'`` marks every dict with our scope; the names of MMPretrain inside must still do."""
    cfg = dict(_scope_='mmdrl', type='GlobalAveragePooling')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        assert type(HOST_MODELS.build(cfg)).__name__ == 'GlobalAveragePooling'


@pytest.mark.parametrize('parent', ['mmengine', 'mmpretrain'])
@pytest.mark.parametrize('scope', ['mmengine', 'mmpretrain', 'mmdrl'])
def test_scope_of_a_project_is_found_in_inherited_dicts_whatever_it_hangs_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str, scope: str
) -> None:
    """A class as a project registers it, named in a dict that came by ``_base_ = 'mmdrl::...'``."""
    name = f'project_below_{parent}'
    (tmp_path / name).mkdir()
    (tmp_path / name / '__init__.py').touch()
    (tmp_path / name / 'registry.py').write_text(
        f'from mmengine.registry import Registry\nfrom {parent}.registry import MODELS as parent\n'
        f"MODELS = Registry('model', parent=parent, scope={name!r}, locations=[{f'{name}.net'!r}])\n"
    )
    (tmp_path / name / 'net.py').write_text(
        f'from torch import nn\nfrom {name}.registry import MODELS\n@MODELS.register_module()\n'
        'class Net(nn.Module):\n    pass\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    with DefaultScope.overwrite_default_scope(scope):
        net = HOST_MODELS.build(dict(_scope_='mmdrl', type=f'{name}.Net'))
        assert type(net).__module__ == f'{name}.net'
        assert registry.MODELS.get(f'{name}.NoSuchThing') is None


def test_a_fresh_process_needs_no_import_of_ours() -> None:
    program = (
        "from mmpretrain.registry import MODELS; m = MODELS.build(dict(type='mmdrl.ResNet8'));print(type(m).__module__)"
    )
    answer = subprocess.run([sys.executable, '-W', 'ignore', '-c', program], capture_output=True, text=True)
    assert answer.stdout.split()[-1] == 'mmdrl.models.backbones.small_resnet', answer.stderr


def test_configs_are_inherited_by_package_name(tmp_path: Path) -> None:
    import mmdrl  # noqa: F401  (makes the name known)

    (tmp_path / 'mine.py').write_text("_base_ = 'mmdrl::digits_lt/drl_r8_digits-lt-ir50.py'\nwork_dir = 'here'\n")
    cfg = Config.fromfile(tmp_path / 'mine.py')
    assert cfg.model.head.type == 'mmdrl.DRHead'
    assert cfg.work_dir == 'here'
    assert registry.MODELS.build(cfg.model).head.dr_loss is not None


def test_functions_are_reached_from_the_package_alone() -> None:
    program = 'import sys, mmdrl; assert "torch" not in sys.modules; print(mmdrl.functional.dr_loss.__name__)'
    answer = subprocess.run([sys.executable, '-W', 'ignore', '-c', program], capture_output=True, text=True)
    assert answer.stdout.strip() == 'dr_loss', answer.stderr
