"""The benchmark of the loss on shapes of no weight: that it runs, checks its value, and writes what it prints."""

import json
from pathlib import Path
from types import ModuleType

import command
import pytest

RELEASED = """
import torch
class DROLoss(torch.nn.Module):
    def __init__(self, temperature, base_temperature, epsilons):
        super().__init__()
        self.epsilons = epsilons
    def forward(self, features, labels, all_features, all_labels):
        return features.sum() * all_features.mean() * self.epsilons[labels].sum()
"""


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = command.benchmark('loss')
    monkeypatch.setattr(module, 'SHAPES', {'small': (10, 4, 8, 30), 'smaller': (3, 2, 16, None)})
    monkeypatch.setattr(module, 'RELEASED', ('small',))
    monkeypatch.setattr(module, 'NUM_CLASSES', (70, 80))
    return module


def arguments(monkeypatch: pytest.MonkeyPatch, *given: object) -> None:
    monkeypatch.setattr('sys.argv', ['loss.py', '--rounds', '1', '--threads', '1', *map(str, given)])


def test_result_file_holds_every_shape_and_ratio(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / 'losses.py').write_text(RELEASED)
    arguments(monkeypatch, '--released', tmp_path / 'losses.py', '--out', tmp_path / 'new/loss.json')
    benchmark.main(benchmark.parse_args())
    result = json.loads((tmp_path / 'new/loss.json').read_text())
    assert [row['shape'] for row in result['rows']] == ['small', 'small', 'smaller', 'smaller']
    for row in result['rows']:
        assert row['floor_ratio'] == pytest.approx(row['microseconds']['ours'] / row['microseconds']['floor'], rel=0.05)
        assert ('released_ratio' in row) == (row['shape'] == 'small')
    assert [row['K'] for row in result['classes']] == [70, 80]
    assert all(row['peak_mib'] > 0 for row in result['classes'])
    assert 'smaller' in capsys.readouterr().out


def test_wrong_value_is_not_timed(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(benchmark.SETTINGS, 'margin', 1.0)
    with pytest.raises(AssertionError):
        benchmark.Batch(10, 4, 8, 'random', 'cpu').check()


def test_missing_file_of_the_authors_is_named(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments(monkeypatch, '--released', tmp_path / 'none.py', '--out', tmp_path / 'loss.json')
    with pytest.raises(SystemExit, match=r'none\.py'):
        benchmark.main(benchmark.parse_args())
    assert not (tmp_path / 'loss.json').exists()
