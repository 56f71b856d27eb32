"""The tool that prints the plan of a run, and the document that shows what it prints."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ROOT, mim, tool
from dry_plan import DIGITS, RELEASED, described, printed
from miniature_cifar import write_arrays
from refusals import command

from mmdrl.engine.config import load_config
from mmdrl.engine.describe import describe_run
from mmdrl.engine.stages import Stage


def pasted(path: str) -> str:
    """What docs/stages.md shows below the command for a config."""
    text = (ROOT / 'docs/stages.md').read_text(encoding='utf-8')
    found = re.search(rf'^\$ python tools/analysis/describe\.py {re.escape(path)}\n(.*?)^```', text, re.M | re.S)
    assert found, path
    return found.group(1)


def test_document_shows_the_plan_of_the_digits():
    assert pasted(DIGITS) == printed(described(DIGITS), Path(DIGITS).stem, 100)


@pytest.mark.slow
def test_document_shows_the_plan_of_the_released_protocol(tmp_path):
    for split, per_class in (('train', 500), ('test', 100)):
        labels = np.repeat(np.arange(100), per_class)
        write_arrays(tmp_path, 100, split, np.zeros((len(labels), 32, 32, 3), np.uint8), labels)
    options = [f'train_dataloader.dataset.dataset.data_root={tmp_path}', f'val_dataloader.dataset.data_root={tmp_path}']
    plan = described(RELEASED, *options)
    assert plan['stages'][0]['iterations_per_epoch'] == 85  # 10,847 images in batches of 128
    assert pasted(RELEASED) == printed(plan, Path(RELEASED).stem, 100)


EXAMPLES = [
    block
    for block in re.findall(
        r'^```python\n(.*?)^```', (ROOT / 'docs/stages.md').read_text(encoding='utf-8'), re.M | re.S
    )
    if re.search('^stages = ', block, re.M)
]


@pytest.mark.parametrize('block', EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_example_of_the_document_fits(block):
    settings: dict[str, Any] = {}
    exec(block, settings)
    cfg = load_config(str(ROOT / 'configs/ce_r8_digits-lt.py'))
    stages = settings['stages']
    changes = {key: settings[key] for key in ('model', 'train_cfg') if key in settings}
    cfg.merge_from_dict(changes | {'default_hooks.stages': dict(type='mmdrl.TwoStageHook', stages=stages)})
    cfg.train_cfg.max_epochs = sum(stage['epochs'] for stage in stages)
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None  # the images held out are no test images
    assert [stage['name'] for stage in describe_run(cfg)['stages']] == [stage['name'] for stage in stages]


def test_document_has_all_keys_of_a_stage():
    text = (ROOT / 'docs/stages.md').read_text(encoding='utf-8')
    table = text[text.index('## Keys') : text.index('## The plan')]
    assert set(re.findall(r'^\| `(\w+)`', table, re.M)) == {item.name for item in fields(Stage)}


@pytest.mark.slow
def test_tool_prints_the_page_and_writes_the_data(tmp_path):
    answer = tool(
        'analysis/describe', ROOT / DIGITS, '--gpus', 2, '--json', 'new/plan.json', cwd=tmp_path, COLUMNS='80'
    )
    assert answer.returncode == 0, answer.stdout
    plan = described(processes=2)
    assert answer.stdout.endswith(printed(plan, Path(DIGITS).stem, 80))
    assert json.loads((tmp_path / 'new/plan.json').read_text()) == plan
    assert [path.name for path in tmp_path.iterdir()] == ['new']


@pytest.mark.slow
@pytest.mark.host
def test_mim_runs_the_tool(tmp_path):
    answer = mim('run', 'mmdrl', 'describe', ROOT / DIGITS, cwd=tmp_path, COLUMNS='80')
    assert answer.returncode == 0, answer.stdout
    assert '1 warm-up' in answer.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('nowhere.py',), 'error: Expected nowhere.py to be a file or the name of a config of mmdrl, found neither.'),
        ((ROOT / DIGITS, '--gpus', '-1'), 'error: Expected --gpus'),
        (
            (ROOT / DIGITS, '--cfg-options', 'train_cfg.max_epochs=49'),
            'error: The stages last 20 + 20 + 10 = 50 epochs',
        ),
        (('own.py', '--json', './own.py'), 'error: --json ./own.py would overwrite the config'),
    ],
)
def test_mistake_is_a_sentence_and_status_1(tmp_path, arguments, message):
    (tmp_path / 'own.py').write_text('')
    status, text = command('analysis/describe', *arguments, cwd=tmp_path)
    assert status == 1
    assert message in text
    assert 'Traceback' not in text
