"""results.json: written whole, read back, and clear about what is wrong with it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from digits_run import short_config, train

from mmdrl.engine.config import load_config
from mmdrl.engine.publish import publish
from mmdrl.engine.results import read_results, write_json, write_results
from mmdrl.engine.run import evaluate
from mmdrl.errors import DataError


def test_results_come_back_with_nan_as_none(tmp_path: Path) -> None:
    write_results(
        {'metrics': {'few': float('nan'), 'all': 51.5}, 'per_class': {'linear': [float('nan'), 1.0]}}, tmp_path
    )
    assert read_results(tmp_path) == {'metrics': {'few': None, 'all': 51.5}, 'per_class': {'linear': [None, 1.0]}}
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


@pytest.mark.parametrize('text', ['3', 'null', '[1]', '[]', '"a"'])
def test_json_that_is_no_object_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / 'results.json').write_text(text)
    with pytest.raises(DataError, match=r'Expected a JSON object in .*results\.json'):
        read_results(tmp_path)


def test_run_with_metrics_that_are_no_single_number_ends_and_has_the_others(tmp_path: Path) -> None:
    """MMPretrain's confusion matrix is a tensor, its metrics of each class are lists."""
    evaluators = [
        dict(type='mmdrl.ShotAccuracy', many=60, few=20),
        dict(type='SingleLabelMetric', average=None),
        dict(type='ConfusionMatrix'),
    ]
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=1)])
    cfg.val_evaluator = cfg.test_evaluator = evaluators
    train(cfg)
    results = read_results(tmp_path / 'run')
    assert set(results['metrics']) == set(results['stages']['only']) == {'all', 'many', 'medium', 'few'}
    found = publish(tmp_path / 'run', tmp_path / 'out', check=True)
    assert found.metrics == results['metrics']
    config = load_config(str(found.files['config']), work_dir=str(tmp_path / 'test'))
    evaluate(config, str(found.files['checkpoint']), out=str(tmp_path / 'metrics.json'))
    matrix = json.loads((tmp_path / 'metrics.json').read_text())['confusion_matrix/result']
    assert np.sum(matrix) == 500


def test_resuming_a_finished_run_leaves_its_results(tmp_path: Path) -> None:
    """They tell the command that trained it, not one that found nothing to do."""
    stages = [dict(name='only', epochs=1)]
    train(short_config(tmp_path / 'run', stages))
    write_results(read_results(tmp_path / 'run') | dict(command='the one that trained'), tmp_path / 'run')
    before = (tmp_path / 'run/results.json').read_bytes()
    cfg = short_config(tmp_path / 'run', stages)
    cfg.resume, cfg.load_from = True, str(tmp_path / 'run/epoch_1.pth')
    train(cfg)
    assert (tmp_path / 'run/results.json').read_bytes() == before


def test_tensors_are_written_as_lists(tmp_path: Path) -> None:
    write_json(dict(matrix=torch.tensor([[1.0, torch.nan]]), one=np.float32(2)), tmp_path / 'a.json')
    assert json.loads((tmp_path / 'a.json').read_text()) == dict(matrix=[[1.0, None]], one=2.0)


@pytest.mark.parametrize(
    ('key', 'value', 'told'),
    [
        ('checkpoint', 5, 'text as checkpoint'),
        ('config', ['x'], 'text as config'),
        ('per_class', dict(linear=None), 'a list as linear of per_class'),
        ('per_class', dict(linear=[0.5, 'x']), 'a number as linear of per_class'),
        ('class_counts', [3, None], 'numbers of images as class_counts'),
        ('class_counts', [3, -1], 'numbers of images as class_counts'),
        ('shot_groups', dict(many='x'), 'a number as many of shot_groups'),
        ('shot_groups', dict(edges=[]), 'exclusive or inclusive as edges of shot_groups'),
    ],
)
def test_what_others_compute_with_is_of_its_kind(tmp_path: Path, key: str, value: object, told: str) -> None:
    (tmp_path / 'results.json').write_text(json.dumps({key: value}))
    with pytest.raises(DataError, match=f'Expected {told}'):
        read_results(tmp_path)
