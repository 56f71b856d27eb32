"""The benchmark of lists on a shape of no weight; its list has the published numbers."""

import json
from pathlib import Path
from types import ModuleType

import command
import numpy as np
import pytest


@pytest.fixture
def benchmark() -> ModuleType:
    return command.benchmark('lists')


@pytest.mark.parametrize('shape', [(437_513, 8142, 1000, 2), (115_846, 1000, 1280, 5), (60, 5, 20, 2)])
def test_generated_counts_have_the_numbers_of_the_shape(benchmark: ModuleType, shape: tuple) -> None:
    counts = benchmark.power_law_counts(*shape)
    assert (counts.sum(), len(counts), counts.max(), counts.min()) == shape


def test_result_file_holds_every_way_and_ratio(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('sys.argv', ['lists.py', '--rounds', '1', '--out', str(tmp_path / 'new/lists.json')])
    monkeypatch.setattr(benchmark, 'SHAPE', type(benchmark.SHAPE)('list.txt', 60, 5, 20, 2, ''))
    benchmark.main(benchmark.parse_args())
    result = json.loads((tmp_path / 'new/lists.json').read_text())
    assert [row['way'] for row in result['rows']] == ['bare', 'ours', 'mmpretrain']
    assert result['rows'][0]['ratio'] == 1
    assert all(row['bytes_per_image'] > 0 for row in result['rows'])
    assert np.isfinite(list(result['image_microseconds'].values())).all()
