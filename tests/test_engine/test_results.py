"""results.json: written whole, read back, and clear about what is wrong with it."""

from pathlib import Path

import pytest

from mmdrl.engine.results import read_results, write_results
from mmdrl.errors import DataError


def test_results_come_back_with_nan_as_none(tmp_path: Path) -> None:
    write_results({'metrics': {'few': float('nan'), 'all': 51.5}, 'per_class': [float('nan'), 1.0]}, tmp_path)
    assert read_results(tmp_path) == {'metrics': {'few': None, 'all': 51.5}, 'per_class': [None, 1.0]}
    assert [path.name for path in tmp_path.iterdir()] == ['results.json']


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_results({'run': 'old'}, tmp_path)
    with pytest.raises(TypeError):
        write_results({'run': object()}, tmp_path)
    assert read_results(tmp_path) == {'run': 'old'}


def test_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'results\.json, found none'):
        read_results(tmp_path)
    (tmp_path / 'results.json').write_text('{"run": ')
    with pytest.raises(DataError, match=r'Expected JSON in .*results\.json'):
        read_results(tmp_path)
