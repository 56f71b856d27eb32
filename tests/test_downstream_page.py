"""The snippets of ``docs/downstream.md`` do what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

import mmdrl  # noqa: F401  (makes `mmdrl::` known)
from mmdrl.engine.preflight import check_data_paths
from mmdrl.errors import DataError

pytestmark = [pytest.mark.slow, pytest.mark.host]
ROOT = Path(__file__).parents[1]
PAGE = (ROOT / 'docs/downstream.md').read_text()
BLOCKS = re.findall(r'^```python\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
CONFIGS = [block for block in BLOCKS if 'model = dict(' in block]
PROGRAMS = [block for block in BLOCKS if 'import' in block]


def test_every_snippet_is_looked_at() -> None:
    assert len(CONFIGS) == len(PROGRAMS) == 3
    assert sorted(CONFIGS + PROGRAMS) == sorted(BLOCKS)


@pytest.mark.parametrize('text', CONFIGS, ids=['inherited', 'head', 'loss'])
def test_model_of_a_config_builds(text: str, tmp_path: Path) -> None:
    path = tmp_path / 'mine.py'
    path.write_text(text)
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
    width = {'SwinTransformer': 768, 'ResNet': 512}[type(model.backbone).__name__]
    assert model.head.fc.in_features == width
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if loader in cfg:
            with pytest.raises(DataError, match='in the folder data/birds, found none'):  # so the arguments fit
                check_data_paths(cfg, (loader,))


@pytest.mark.parametrize('text', PROGRAMS, ids=['function', 'registry', 'model'])
def test_program_runs(text: str, tmp_path: Path) -> None:
    (tmp_path / 'mine.py').write_text("_base_ = 'mmdrl::digits_lt/drl_r8_digits-lt-ir50.py'\n")
    command = [sys.executable, '-W', 'error::FutureWarning:__main__', '-c', text]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
