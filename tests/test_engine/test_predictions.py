"""predictions.npz: the labels of every validation image, plain arrays, small, and nothing else is read."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mmdrl.engine.predictions import (
    PREDICTIONS,
    keep_predictions,
    last_predictions,
    read_predictions,
    write_predictions,
)
from mmdrl.errors import DataError


@pytest.fixture
def arrays(rng) -> dict[str, np.ndarray]:
    return dict(
        label=rng.integers(0, 1000, 50_000),
        linear=rng.integers(0, 1000, 50_000),
        ncm=rng.integers(0, 1000, 50_000),
        confidence=rng.random(50_000, dtype=np.float32),
        brier=rng.random(50_000, dtype=np.float32),
    )


def metric(**per_sample: list) -> SimpleNamespace:
    return SimpleNamespace(per_sample={name: np.array(values) for name, values in per_sample.items()} or None)


def test_what_is_read_is_what_was_written_and_small(arrays, tmp_path: Path) -> None:
    path = write_predictions(arrays, tmp_path)
    for where in (tmp_path, path):
        found = read_predictions(where)
        assert list(found) == list(arrays)
        for name, values in arrays.items():
            assert_array_equal(found[name], values)
            assert found[name].dtype == values.dtype
    assert path.stat().st_size < 1_000_000  # random labels: nothing packs worse
    assert [file.name for file in tmp_path.iterdir()] == [PREDICTIONS]


def test_metrics_of_one_evaluation_are_put_together() -> None:
    found = last_predictions(
        [
            metric(),
            metric(label=[0, 1], linear=[0, 0]),
            object(),
            metric(label=[0, 1], ncm=[1, 1]),
            metric(label=[1, 1], confidence=[0.5, 0.5]),  # has judged other images
        ]
    )
    assert {name: values.tolist() for name, values in found.items()} == dict(label=[0, 1], linear=[0, 0], ncm=[1, 1])


def test_file_of_an_earlier_run_does_not_outlive_one_without_such_metrics(tmp_path: Path) -> None:
    assert keep_predictions([metric(label=[0], linear=[0])], tmp_path) == [tmp_path / PREDICTIONS]
    assert keep_predictions([object()], tmp_path) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(linear=[0]), "must hold 'label' .* got linear"),
        (dict(label=[0], other=[0]), "must hold 'label' .* got label, other"),
        (dict(label=[0], linear=[0, 1]), r'linear must be whole numbers of shape \(N,\).* shape \(2,\)'),
        (dict(label=[[0]]), 'label must be whole numbers'),
        (dict(label=[0.5]), 'label must be whole numbers .* float64'),
        (dict(label=[0], confidence=[1]), 'confidence must be floating-point numbers'),
    ],
)
def test_arrays_that_do_not_fit_are_neither_written_nor_read(wrong, message, tmp_path: Path) -> None:
    arrays = {name: np.array(values) for name, values in wrong.items()}
    with pytest.raises(DataError, match=message):
        write_predictions(arrays, tmp_path)
    assert not list(tmp_path.iterdir())
    np.savez(tmp_path / PREDICTIONS, **arrays)
    with pytest.raises(DataError, match=message):
        read_predictions(tmp_path)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ('a pickle was loaded',))


@pytest.mark.parametrize('content', [b'', b'no archive', b'PK\x03\x04 no archive', 'pickle', 'objects', 'cut', 'one'])
def test_what_is_no_file_of_arrays_is_refused_and_no_pickle_is_loaded(content, tmp_path: Path) -> None:
    path = tmp_path / PREDICTIONS
    if content == 'pickle':
        content = pickle.dumps(Trap())
    elif content == 'objects':
        np.savez(path, label=np.array([Trap()], dtype=object))
        content = path.read_bytes()
    elif content == 'cut':
        content = write_predictions(dict(label=np.arange(9)), tmp_path).read_bytes()[:-30]
    elif content == 'one':
        with path.open('wb') as stream:
            np.save(stream, np.arange(9))
        content = path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(DataError, match='Train or validate that run again'):
        read_predictions(tmp_path)


def test_damaged_array_is_refused(tmp_path: Path) -> None:
    path = write_predictions(dict(label=np.arange(1000)), tmp_path)
    content = bytearray(path.read_bytes())
    content[80:90] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(DataError, match='cannot be read'):
        read_predictions(path)


def test_missing_file_says_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'found none.*mmdrl\.SummaryHook'):
        read_predictions(tmp_path)


def test_folder_that_cannot_be_written_to_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'Writing .* failed'):
        write_predictions(dict(label=np.arange(3)), tmp_path / 'none')
