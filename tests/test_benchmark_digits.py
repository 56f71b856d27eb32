"""The tables of the digits benchmark from numbers computed by hand; runs that have ended are not repeated."""

import argparse
import json
import statistics
from pathlib import Path
from types import ModuleType

import pytest
from command import ROOT, benchmark
from mmengine.config import Config

VALUES = {'ce': (80.0, 84.0, 82.0), 'crt': (90.0, 93.0, 96.0), 'drl': (91.0, 95.0, 93.0)}


@pytest.fixture
def digits() -> ModuleType:
    return benchmark('digits_seeds')


def end_runs(folder: Path, values: dict[str, tuple[float, ...]]) -> None:
    """Leave behind what runs leave: ``all`` as given, and other metrics off by some constant."""
    for method, of_seeds in values.items():
        for seed, value in enumerate(of_seeds):
            run = folder / f'{method}_{seed}'
            run.mkdir(parents=True)
            keys = ('many', 'medium', 'few', 'all', 'ncm/many', 'ncm/medium', 'ncm/few', 'ncm/all')
            metrics = {key: value + index - 3 for index, key in enumerate(keys)}
            (run / 'results.json').write_text(json.dumps(dict(metrics=metrics, versions=dict(torch='2.15.0'))))


def arguments(tmp_path: Path, **changes: object) -> argparse.Namespace:
    settings = dict(seeds=3, jobs=2, tables=['digits_seeds'], runs=tmp_path / 'runs', out=tmp_path / 'new/results')
    return argparse.Namespace(**{**settings, **changes})


def test_table_of_ended_runs_is_that_of_the_textbook(
    digits: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    end_runs(tmp_path / 'runs', VALUES)
    digits.main(arguments(tmp_path))
    result = json.loads((tmp_path / 'new/results/digits_seeds.json').read_text())
    assert result['seeds'] == 3
    assert [(run['seed'], run['method']) for run in result['runs']] == [
        (s, m) for s in range(3) for m in sorted(VALUES)
    ]
    for method, values in VALUES.items():
        assert result['summary'][method]['all'] == pytest.approx(
            [statistics.mean(values), statistics.stdev(values)], abs=1e-4
        )
        assert result['summary'][method]['ncm/all'][0] == pytest.approx(statistics.mean(values) + 4, abs=1e-4)
    # 91-90, 95-93, 93-96: mean 0, standard deviation sqrt(7), standard error sqrt(7/3).
    assert result['summary']['drl - crt']['all'] == pytest.approx([0, (7 / 3) ** 0.5], abs=1e-4)
    # 10, 9, 14: mean 11, standard deviation sqrt(7).
    assert result['summary']['crt - ce']['few'] == pytest.approx([11, (7 / 3) ** 0.5], abs=1e-4)
    assert set(result['summary']) == {'ce', 'crt', 'drl', 'crt - ce', 'drl - ce', 'drl - crt'}
    printed = capsys.readouterr().out
    assert '| ce | 79.0 ± 2.0 | 80.0 ± 2.0 | 81.0 ± 2.0 | 82.0 ± 2.0 | 85.0 ± 2.0 | 86.0 ± 2.0 |' in printed
    assert '| drl - crt | +0.00 ± 1.53 |' in printed


def test_one_seed_has_a_mean_and_no_spread(digits: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    end_runs(tmp_path / 'runs', VALUES)
    digits.main(arguments(tmp_path, seeds=1))
    result = json.loads((tmp_path / 'new/results/digits_seeds.json').read_text())
    assert result['summary']['drl - crt']['all'] == [1.0, None]
    assert '| drl - crt | +1.00 | +1.00 |' in capsys.readouterr().out


def test_seeds_that_not_every_method_has_ended_do_not_count(digits: ModuleType) -> None:
    table = digits.TABLES['digits_seeds']
    metrics = dict.fromkeys(table.columns, 50.0)
    runs = [dict(method=m, seed=s, metrics=metrics) for m, s in (('ce', 0), ('ce', 1), ('crt', 1), ('drl', 1))]
    assert digits.common_seeds(table, runs) == [1]
    assert digits.summary(table, runs[:2]) == {}


def test_failed_training_ends_with_its_own_words_and_keeps_what_there_was(
    digits: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (digits.Row('ce', 'ce'), digits.Row('none', 'none'))
    monkeypatch.setitem(digits.TABLES, 'digits_seeds', digits.Table(('all',), rows))
    end_runs(tmp_path / 'runs', {'ce': (80.0,)})
    with pytest.raises(SystemExit, match=r'error: none, seed 0: (.|\n)*Expected a config file at .*none_r8_digits'):
        digits.main(arguments(tmp_path, seeds=1, jobs=1))
    result = json.loads((tmp_path / 'new/results/digits_seeds.json').read_text())
    assert [run['method'] for run in result['runs']] == ['ce']


def test_rows_have_configs_and_counterparts_differ_in_the_dr_loss(digits: ModuleType) -> None:
    for table in digits.TABLES.values():
        by_label = {row.label: row for row in table.rows}
        for row in table.rows:
            cfg = Config.fromfile(ROOT / f'configs/digits_lt/{row.method}_r8_digits-lt-ir50.py')
            has_dr_loss = 'dr_loss' in cfg.model.head
            assert has_dr_loss == (row.without is not None)
            if row.without is not None:
                other = by_label[row.without]
                control = Config.fromfile(ROOT / f'configs/digits_lt/{other.method}_r8_digits-lt-ir50.py')
                assert row.classifier == other.classifier
                assert 'dr_loss' not in control.model.head
                assert cfg.default_hooks == control.default_hooks
