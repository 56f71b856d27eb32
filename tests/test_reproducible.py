"""One seed gives one result on the CPU, to the last bit; files of numbers say what they were computed with."""

import gc
import json
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from digits_run import ROOT, short_config, train
from forks import Forks
from mmengine.logging import HistoryBuffer
from worker_reproducible import run

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.environment import code_in_words, describe_environment
from mmdrl.engine.publish import publish
from mmdrl.engine.representation import representation_report
from mmdrl.engine.run import evaluate

MADE_WITH = set(describe_environment())
# What differs between runs of one seed: times, and names that begin with one.
OF_THE_TIME = {'time', 'data_time', 'train_seconds', 'log_folders', 'memory', 'made_with', 'experiment_name', 'cfg'}
OF_THE_TIME |= {'command', 'checkpoint', 'run', 'last_ckpt', 'eta'}
OF_THE_TIME |= {'git', 'mmengine_version'}  # both name the commit: somebody may work in the checkout meanwhile


def traces(folder: Path) -> dict[str, Any]:
    """All that a run has left, without its times, to be compared to the last bit."""
    scalars = next(folder.glob('*/vis_data/scalars.json')).read_text().splitlines()
    with np.load(folder / 'predictions.npz') as arrays:
        predictions = dict(arrays)
    results = json.loads((folder / 'results.json').read_text())
    return dict(
        results=as_bits(results),
        names_in_results=[*results],
        scalars=[as_bits(json.loads(line)) for line in scalars],
        predictions=as_bits(predictions),
        checkpoint=as_bits(read_checkpoint((folder / 'last_checkpoint').read_text())),
        files=sorted(re.sub(r'\d{8}_\d{6}', 'TIME', str(path.relative_to(folder))) for path in folder.rglob('*')),
    )


def as_bits(value: Any) -> Any:
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return str(value.dtype), tuple(value.shape), np.asarray(value).tobytes()
    if isinstance(value, HistoryBuffer):
        return as_bits([*value.data])
    if isinstance(value, dict):
        return {key: as_bits(entry) for key, entry in value.items() if str(key).split('/')[-1] not in OF_THE_TIME}
    return [as_bits(entry) for entry in value] if isinstance(value, (list, tuple)) else repr(value)


def differing(first: Any, second: Any, where: str = '') -> Iterator[str]:
    """Names of what is not the same."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in {**first, **second}:
            yield from differing(first.get(key, 'nothing'), second.get(key, 'nothing'), f'{where}/{key}')
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for position, pair in enumerate(zip(first, second, strict=True)):
            yield from differing(*pair, f'{where}/{position}')
    elif first != second:
        yield where


@pytest.fixture(scope='module')
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three stages with random shifts, which others are compared with."""
    folder = tmp_path_factory.mktemp('first') / 'run'
    run(folder)
    return folder


@pytest.mark.host
def test_seed_says_all_of_a_run_and_workers_and_hash_seed_say_nothing(tmp_path: Path, first: Path) -> None:
    workers = {f'{name}_dataloader.num_workers': 2 for name in ('train', 'val')}
    run(tmp_path / 'workers', **workers, **{name.replace('num', 'persistent'): True for name in workers})
    gc.collect()  # the runner is gone, but its parts refer to each other
    assert multiprocessing.active_children() == [], 'workers outlive the runner'
    assert [*differing(traces(first), traces(tmp_path / 'workers'))] == []
    script = [sys.executable, '-W', 'ignore', ROOT / 'tests/worker_reproducible.py', tmp_path / 'hashed']
    environment = {**os.environ, 'PYTHONHASHSEED': '4294967295'}
    subprocess.run(script, env=environment, check=True, capture_output=True, timeout=300)
    assert [*differing(traces(first), traces(tmp_path / 'hashed'))] == []


def test_other_seed_gives_other_weights_losses_and_predictions(tmp_path: Path, first: Path) -> None:
    run(tmp_path / 'other', **{'randomness.seed': 1})
    other = {*differing(traces(first), traces(tmp_path / 'other'))}
    assert {'/results/seed', '/checkpoint/state_dict/backbone.conv1.weight', '/scalars/0/loss'} <= other
    assert any(name.startswith('/predictions/') for name in other)


def test_seed_says_all_of_a_run_with_cross_entropy(tmp_path: Path) -> None:
    found = []
    for name in ('one', 'two'):
        config = short_config(tmp_path / name, [dict(name='only', epochs=2)], log_level='INFO')
        config.model.head = dict(
            type='LinearClsHead', num_classes=10, in_channels=64, loss=dict(type='CrossEntropyLoss')
        )
        config.val_evaluator = dict(type='mmdrl.ShotAccuracy')
        train(config)
        found.append(traces(tmp_path / name))
    assert [*differing(*found)] == []


@pytest.mark.distributed
def test_seed_says_all_of_a_run_of_two_processes(tmp_path: Path, forks: Forks, first: Path) -> None:
    found = []
    for name in ('one', 'two'):
        forks.run(2, 'worker_reproducible.py', tmp_path / name, cwd=tmp_path)
        found.append(traces(tmp_path / name))
    assert [*differing(*found)] == []
    assert found[0]['results']['processes'] == '2'
    assert '/results/total_batch_size' in differing(traces(first), found[0])


@pytest.mark.host
def test_log_results_checkpoint_and_measures_say_what_they_were_made_with(tmp_path: Path, first: Path) -> None:
    results = json.loads((first / 'results.json').read_text())
    checkpoint = read_checkpoint(str(first / 'epoch_5.pth')) or {}
    log = next(first.glob('*/*.log')).read_text()
    assert all(f'\n    {name}: ' in log.partition('Made with:')[2] for name in MADE_WITH)
    assert MADE_WITH | {'seed', 'total_batch_size'} <= set(checkpoint['meta']['made_with'])
    assert MADE_WITH | {'seed', 'total_batch_size', 'devices'} <= set(results)
    assert results['deterministic'] == dict(algorithms=False, cudnn=False, cudnn_benchmark=False, tf32=False)
    assert (results['processes'], results['threads']) == (1, torch.get_num_threads())

    config = short_config(tmp_path / 'tested', log_level='INFO')
    evaluate(config, str(first / 'epoch_5.pth'), str(tmp_path / 'metrics.json'))
    assert set(json.loads((tmp_path / 'metrics.json').read_text())['made_with']) == MADE_WITH
    assert '\n    versions: ' in next((tmp_path / 'tested').glob('*/*.log')).read_text()
    assert set(representation_report(config, first / 'epoch_5.pth')['made_with']) == MADE_WITH

    published = publish(first, tmp_path / 'out')
    meta = (read_checkpoint(str(published.files['checkpoint'])) or {})['meta']
    assert meta['made_with']['deterministic'] == results['deterministic']
    assert 'command' not in meta['made_with']  # which has folders of the machine
    assert '| deterministic switches | algorithms off, ' in published.files['card'].read_text()


def test_nothing_says_who_or_where(first: Path) -> None:
    told = json.dumps({name: value for name, value in describe_environment().items() if name != 'command'})
    assert os.uname().nodename not in told
    assert str(Path.home()) == '/' or str(Path.home()) not in told


def test_revision_of_the_project_is_told_beside_that_of_mmdrl(tmp_path: Path) -> None:
    git = ['git', '-C', tmp_path, '-c', 'user.name=a', '-c', 'user.email=a@b']
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs/mine.py').write_text('')
    for words in (['init', '-q'], ['add', '.'], ['commit', '-qm', 'x']):
        subprocess.run([*git, *words], check=True, capture_output=True)
    found = describe_environment(tmp_path / 'configs/mine.py')
    assert re.fullmatch('[0-9a-f]{40}', found['project_git']['revision'])
    assert found['project_git']['has_changes'] is False
    assert f'project {found["project_git"]["revision"][:7]}' in code_in_words(found)
    assert describe_environment(ROOT / 'configs/ce_r8_digits-lt.py')['project_git'] is None
