"""Our models among those of MMPretrain, however and in whatever order the packages are imported."""

import os
import shutil
import subprocess
import sys
import textwrap
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import mmpretrain
import pytest
import yaml
from command import ROOT
from mmengine import hub as mmengine_hub
from mmpretrain.apis.model import ModelHub

from mmdrl.model_hub import offer_models
from mmdrl.models import DRHead

pytestmark = pytest.mark.host

NAME = 'drl_r8_digits-lt-ir50'


def rows(index: Path) -> list[dict[str, Any]]:
    """Rows of a model index, read without OpenMMLab."""
    files = yaml.safe_load(index.read_text())['Import']
    return [row for file in files for row in yaml.safe_load((index.parent / file).read_text()).get('Models') or []]


OURS = {row['Name']: row['Config'] for row in rows(ROOT / 'model-index.yml')}


def test_all_of_our_models_are_listed_by_name() -> None:
    assert NAME in mmpretrain.list_models('drl*')
    assert set(mmpretrain.list_models()) >= set(OURS)
    assert mmpretrain.list_models('drl') == sorted(name for name in OURS if name.startswith('drl'))


def test_index_is_read_once_however_often_it_is_asked_for() -> None:
    mmpretrain.list_models()
    asked = ModelHub._register_mmpretrain_models
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        offer_models()
        mmpretrain.list_models()
        mmpretrain.get_model(NAME)
    assert ModelHub._register_mmpretrain_models is asked


def test_no_name_is_one_of_mmpretrains() -> None:
    index = Path(mmpretrain.__file__).parent / '.mim/model-index.yml'
    theirs = {row['Name'].lower() for row in rows(index)}
    assert len(theirs) > 300
    assert theirs.isdisjoint(name.lower() for name in OURS)
    assert len(mmpretrain.list_models()) == len(theirs) + len(OURS)


def test_every_row_leads_to_its_config() -> None:
    mmpretrain.list_models()
    for name, config in OURS.items():
        assert Path(ModelHub._models_dict[name].config).samefile(ROOT / config)


def test_name_builds_the_model() -> None:
    model = mmpretrain.get_model(NAME)
    assert isinstance(model.head, DRHead)
    assert model._metainfo.name == NAME
    changed = mmpretrain.get_model(NAME, head=dict(predict_with='ncm'))
    assert changed.head.predict_with == 'ncm'


def test_mmengines_hub_has_config_and_model() -> None:
    name = f'mmdrl::digits_lt/{NAME}.py'
    assert mmengine_hub.get_config(name).model.head.type == 'mmdrl.DRHead'
    assert isinstance(mmengine_hub.get_model(name).head, DRHead)


def test_program_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / 'docs/mim.md').read_text(encoding='utf-8')
    exec(page.partition('```python\n')[2].partition('```')[0], {})
    assert NAME in capsys.readouterr().out


def python(code: str, **environment: str) -> str:
    """What a program prints in an interpreter of its own."""
    command = [sys.executable, '-W', 'default', '-c', textwrap.dedent(code)]
    answer = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, cwd='/')
    assert answer.returncode == 0, answer.stderr
    assert 'missing in the model index' not in answer.stderr
    return answer.stdout


CHILDREN = f"""
import importlib, multiprocessing, sys

def count(_):
    from mmpretrain import list_models
    return len(list_models('{NAME}'))

def child(method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.map(count, [0])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ('order', 'method'), [(('mmdrl', 'mmpretrain'), 'spawn'), (('mmpretrain', 'mmdrl'), 'fork')], ids=['first', 'last']
)
def test_order_of_imports_reloading_and_child_processes_do_not_matter(
    tmp_path: Path, order: tuple[str, str], method: str
) -> None:
    (tmp_path / 'children.py').write_text('\n'.join(f'import {name}' for name in order) + CHILDREN)
    code = f"""
        import children, importlib, sys
        from mmpretrain import get_model, list_models
        print(children.child('{method}'), children.count(0), children.count(0))
        importlib.reload(sys.modules['mmpretrain.apis.model'])
        importlib.reload(sys.modules['mmdrl'])
        print(sys.modules['mmpretrain.apis.model'].list_models('{NAME}'))
        print(type(get_model('{NAME}').head).__name__)
    """
    lines = python(code, PYTHONPATH=str(tmp_path)).splitlines()
    assert [lines[0], lines[1], lines[-1]] == ['[1] 1 1', f"['{NAME}']", 'DRHead']


@pytest.mark.slow
def test_source_tree_has_them_and_a_broken_or_missing_index_ends_in_a_warning(tmp_path: Path) -> None:
    for name in ('mmdrl', 'configs'):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('.mim', '__pycache__'))
    shutil.copy2(ROOT / 'model-index.yml', tmp_path)
    code = f"""
        import importlib, sys, warnings
        import mmdrl
        from pathlib import Path
        from mmpretrain.apis import model
        tree = Path(r'{tmp_path}')
        assert Path(mmdrl.__file__).parents[1] == tree
        def ask():
            importlib.reload(model)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter('always')
                print(len(model.list_models('{NAME}')), len(model.list_models('resnet50')) > 5)
            for warning in caught:
                print(warning.message)
        ask()
        (tree / 'configs/digits_lt/metafile.yml').write_text('Models: [}}')
        ask()
        (tree / 'model-index.yml').unlink()
        ask()
    """
    lines = python(code, PYTHONPATH=str(tmp_path)).splitlines()
    assert lines[0] == '1 True'
    answers = [index for index, line in enumerate(lines) if line == '0 True']
    assert len(answers) == 2
    for index in answers:
        assert lines[index + 1].startswith('Models of mmdrl are missing in the model index: ')
    assert lines[-1].endswith('this installation of mmdrl lacks it. Install it again.')


def test_name_of_mmpretrain_in_our_index_leaves_theirs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'model-index.yml').write_text('Models:\n  - Name: resnet18_8xb32_in1k\n    Config: configs/owl.py\n')
    model_hub = import_module('mmdrl.model_hub')
    monkeypatch.setattr(model_hub, 'shipped_folder', lambda: tmp_path)
    mmpretrain.list_models()
    with pytest.warns(UserWarning, match='resnet18_8xb32_in1k is conflict'):
        model_hub._register(ModelHub)
    assert mmpretrain.get_model('resnet18_8xb32_in1k').backbone.depth == 18
