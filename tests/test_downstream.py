"""The project of somebody else in ``examples/downstream``: every command of its README, as it is written there."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from installation import OFFLINE, copy_sources, make_environment, run
from mmengine.config import Config

from mmdrl.engine.checkpoints import read_checkpoint

EXAMPLE = Path(__file__).parents[1] / 'examples/downstream'
BLOCKS = re.findall(r'^```\n(.*?)^```', (EXAMPLE / 'README.md').read_text(), re.MULTILINE | re.DOTALL)

pytestmark = [pytest.mark.slow, pytest.mark.host]


@pytest.fixture(scope='module')
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Folder in which all commands of the README have run, and what each block has printed."""
    folder = tmp_path_factory.mktemp('downstream')
    project = folder / 'examples' / 'downstream'
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns('__pycache__', 'data', 'work_dirs', '*.egg-info'))
    python, _ = make_environment(project / '.venv')
    printed = {}
    for block in BLOCKS:
        if 'pip install' in block:
            assert block.splitlines()[-1] == 'pip install "setuptools>=77.0.3,<82" "../..[openmmlab]" .'
            copy_sources(folder)
            run(python, '-m', 'pip', 'install', *OFFLINE, '--ignore-installed', '../..', '.', cwd=project)
            continue
        script = f'. .venv/bin/activate\nset -e\n{block}'
        printed[block] = run('bash', '-c', script, cwd=project, OMP_NUM_THREADS='1', PYTHONWARNINGS='ignore')
    return project, printed


def of_block(printed: dict[str, str], words: str) -> str:
    return next(text for block, text in printed.items() if words in block)


def test_inherited_config_trains_in_its_stages_tests_and_predicts(project: tuple[Path, dict[str, str]]) -> None:
    folder, printed = project
    results = json.loads((folder / 'work_dirs/drl_convnext_meters/results.json').read_text())
    assert results['class_counts'] == [100, 68, 46, 32, 22, 15, 10, 7, 4, 3]  # int(100 * 30 ** (-c / 9))
    assert list(results['stages']) == ['classifier']  # the inherited val_interval
    output = of_block(printed, 'read_digits')
    for name in ("Stage 1 of 3, 'warm-up'", "Stage 2 of 3, 'feature'", "Stage 3 of 3, 'classifier'", 'loss_dr'):
        assert name in output
    assert 'Testing finished successfully' in output
    assert re.search(r'0000\.jpg: \d \(0\.\d\d\)$', output, re.MULTILINE)


def test_few_shot_digits_are_read_better_than_by_chance(project: tuple[Path, dict[str, str]]) -> None:
    """Seven, four and three training images; ten classes."""
    results = json.loads((project[0] / 'work_dirs/drl_convnext_meters/results.json').read_text())
    assert results['metrics']['few'] > 20


@pytest.mark.parametrize('name', ['drl_meternet_meters', 'drl-hidden_meternet_meters'])
def test_hooks_have_served_the_head(project: tuple[Path, dict[str, str]], name: str) -> None:
    state = read_checkpoint(str(project[0] / 'work_dirs' / name / 'epoch_10.pth'))['state_dict']
    assert state['head.class_counts'].tolist() == [100, 68, 46, 32, 22, 15, 10, 7, 4, 3]
    assert state['head.centroids.is_seen'].all()
    assert state['head.centroids.centroids'].shape[1] == (32 if 'hidden' in name else 64)
    assert 'loss_dr' in of_block(project[1], name)


def test_sampler_and_metric_need_nothing_else(project: tuple[Path, dict[str, str]]) -> None:
    state = read_checkpoint(str(project[0] / 'work_dirs/class-aware_meternet_meters/epoch_10.pth'))['state_dict']
    assert not any(word in name for name in state for word in ('centroid', 'counts', 'sums'))
    output = of_block(project[1], 'mim train mmpretrain')
    assert re.search(r'Epoch\(val\) \[10\].* accuracy/top1: .* many: .* few: ', output)
    assert 'Testing finished successfully' in output
    assert all(torch.isfinite(value).all() for value in state.values())


def test_every_config_of_the_example_is_run_by_its_readme() -> None:
    for path in EXAMPLE.glob('configs/*.py'):
        assert any(
            f'mim train mmdrl configs/{path.name}' in block or f'mmpretrain configs/{path.name}' in block
            for block in BLOCKS
        ), path


def test_plain_config_names_nothing_of_mmdrl_but_sampler_and_metric() -> None:
    text = Config.fromfile(EXAMPLE / 'configs/class-aware_meternet_meters.py').pretty_text
    assert set(re.findall(r"'(mmdrl\.\w+)'", text)) == {'mmdrl.ClassAwareSampler', 'mmdrl.ShotAccuracy'}
