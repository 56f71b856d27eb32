"""The benchmark of the samplers on a shape of no weight: its labels, its checks, and what it writes."""

import json
from pathlib import Path
from types import ModuleType

import command
import numpy as np
import pytest

from mmdrl.datasets.lists.published import PublishedSplit

RELEASED = """
class ClassAwareSampler:
    def __init__(self, labels, num_samples_cls):
        self.labels = labels
    def __iter__(self):
        for _ in range(self.num_samples):
            yield len(self.labels)
"""


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = command.benchmark('samplers')
    monkeypatch.setattr(module, 'SHAPE', PublishedSplit('small.txt', 1000, 70, 100, 2, ''))
    return module


def arguments(monkeypatch: pytest.MonkeyPatch, *given: object) -> None:
    monkeypatch.setattr('sys.argv', ['samplers.py', '--rounds', '1', *map(str, given)])


def test_result_file_holds_every_sampler_and_length(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / 'released.py').write_text(RELEASED)
    arguments(monkeypatch, '--released', tmp_path / 'released.py', '--out', tmp_path / 'new/samplers.json')
    benchmark.main(benchmark.parse_args())
    result = json.loads((tmp_path / 'new/samplers.json').read_text())
    assert {row['num_samples'] for row in result['rows']} == {1000, 7000}
    names = ['WeightedRandomSampler', *benchmark.SAMPLERS, 'released generator']
    assert [row['sampler'] for row in result['rows']] == names * 2
    for row in result['rows']:
        assert (row.get('peak_mib', 0) > 0) == ('released_ratio' in row) == (row['sampler'] in benchmark.SAMPLERS)
    assert 'WeightedRandomSampler' in capsys.readouterr().out


def test_wrong_order_is_not_timed(benchmark: ModuleType) -> None:
    dataset = benchmark.Labels(benchmark.SHAPE)
    sampler = benchmark.PowerSampler(dataset, power=0.5, seed=0)
    benchmark.check('power', sampler, dataset.labels)
    sampler.draw = lambda generator: np.arange(1000)
    with pytest.raises(AssertionError, match='power'):
        benchmark.check('power', sampler, dataset.labels)


def test_missing_file_of_the_authors_is_named(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments(monkeypatch, '--released', tmp_path / 'none.py', '--out', tmp_path / 'samplers.json')
    with pytest.raises(SystemExit, match=r'none\.py'):
        benchmark.main(benchmark.parse_args())
    assert not (tmp_path / 'samplers.json').exists()
