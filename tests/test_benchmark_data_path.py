"""The benchmark of the data path on few images: that both ways show the same, and that it writes what it prints."""

import json
from pathlib import Path
from types import ModuleType

import command
import pytest
import torch


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = command.benchmark('data_path')
    monkeypatch.setattr(module, 'IMAGES', 48)
    return module


def test_both_ways_show_the_same_images_where_nothing_augments(benchmark: ModuleType, tmp_path: Path) -> None:
    data = benchmark.Data(tmp_path, 48)
    settings = dict(workers=0, batch=16, device='cpu')
    shown = [list(make('validation', 48, training=False, **settings).batches()) for make in (data.stock, data.whole)]
    assert [len(batches) for batches in shown] == [3, 3]
    for stock, whole in zip(*shown, strict=True):
        assert torch.equal(stock['inputs'], whole['inputs'])
        assert [int(one.gt_label) for one in stock['data_samples']] == whole['data_samples'].labels.tolist()


def test_result_file_holds_every_row(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'new/data_path.json'
    few = ('--rounds', 1, '--batches', 3, '--batch', 16, '--steps', 1, '--out', out)
    monkeypatch.setattr('sys.argv', ['data_path.py', *map(str, few)])
    benchmark.main(benchmark.parse_args())
    result = json.loads(out.read_text())
    assert [(row['steps'], row['workers']) for row in result['rows']] == [
        (steps, workers) for steps in benchmark.STEPS for workers in (0, 2)
    ]
    for row in result['rows']:
        rates = {name: values['median'] for name, values in row['images_per_second'].items()}
        assert row['ratio']['median'] == pytest.approx(rates['whole'] / rates['stock'], rel=0.05)
        assert row['is_met'] == (None if row['goal'] is None else row['ratio']['median'] >= row['goal'])
    assert result['step']['is_met'] == (result['step']['ratio']['median'] <= 1.1)
    assert 'AutoAugment' in capsys.readouterr().out
