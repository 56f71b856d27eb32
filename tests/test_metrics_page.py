"""What docs/metrics.md shows runs, and its table has every value with its rule."""

import re

import pytest
from command import ROOT
from mmengine.config import Config

from mmdrl.engine.chosen_metrics import settle_choices
from mmdrl.evaluation import Calibration, ClassAccuracy, ShotAccuracy
from mmdrl.registry import METRICS

TEXT = (ROOT / 'docs/metrics.md').read_text()
BLOCKS = re.findall(r'^```python\n(.*?)^```', TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize('block', BLOCKS, ids=lambda block: block.split('\n')[0][:40])
def test_block_runs_alone(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block, 'docs/metrics.md', 'exec'), {})
    if 'macro_f1(' in block:
        assert 'ECE' in capsys.readouterr().out


def test_configs_of_the_page_are_accepted() -> None:
    values: dict = {}
    for block in BLOCKS:
        if 'import' not in block:
            exec(block, values)
    assert [METRICS.build(dict(entry)).prefix for entry in values['val_evaluator']] == ['', 'ncm', '', 'ncm', '']
    hooks = dict(checkpoint=dict(type='CheckpointHook', **values['default_hooks']['checkpoint']))
    cfg = Config(dict(val_evaluator=values['val_evaluator'], default_hooks=hooks, custom_hooks=values['custom_hooks']))
    settle_choices(cfg)
    assert (cfg.default_hooks.checkpoint.rule, cfg.custom_hooks[0].rule) == ('greater', 'greater')


def test_table_names_every_value_and_its_rule() -> None:
    rows = re.findall(r'^\|[^|]*\| (`[^|]+) \|[^|]*\|[^|]*\| (greater|less) \|$', TEXT, re.MULTILINE)
    told = {name: rule for names, rule in rows for name in re.findall(r'`(\w+)`', names)}
    expected = {**ShotAccuracy.rules, **ClassAccuracy.rules, **Calibration.rules}
    assert set(told) >= {name for name in expected if not re.fullmatch(r'(ece|mce|brier)_\w+', name)}
    assert all(expected[name] == rule for name, rule in told.items())
