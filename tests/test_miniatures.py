"""The data parts of the three large sets train as they are, on generated miniatures in both layouts of each."""

from pathlib import Path

import pytest
from command import ROOT, tool
from miniature import CLASSES, LAYOUTS, make_miniature

from mmdrl.engine.results import read_results

pytestmark = pytest.mark.slow
BASE = {'imagenet': 'imagenet_lt', 'places': 'places_lt', 'inaturalist': 'inaturalist2018'}
CASES = [(name, layout) for name, layouts in LAYOUTS.items() for layout in layouts]
# How the files lie is nothing to the host.
CASES_OF_HOST = {(name, next(iter(layouts))) for name, layouts in LAYOUTS.items()}

CONFIG = """
_base_ = ['{root}/configs/_base_/datasets/{base}.py', '{root}/configs/_base_/default_runtime.py']
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmdrl.ResNet8', in_channels=3),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='mmdrl.DRHead', num_classes={num_classes}, in_channels=64),
)
data_preprocessor = dict(num_classes={num_classes})
small = dict(data_root='{data}', check_numbers=False{classes})
train_dataloader = dict(batch_size=2, num_workers=1, num_batch_per_epoch=2, dataset=small)
val_dataloader = dict(batch_size=2, num_workers=0, dataset=small)
test_dataloader = dict(batch_size=2, num_workers=0, dataset=small)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
default_hooks = dict(summary=dict(figures=False))
train_cfg = dict(type='mmdrl.ResumableEpochLoop', max_epochs=1, val_interval=1)
"""


def write_config(folder: Path, name: str, data: Path) -> Path:
    classes = f', classes={list(CLASSES[name])}' if name == 'imagenet' else ''  # or it would have its 1000 names
    path = folder / f'{name}.py'
    path.write_text(
        CONFIG.format(root=ROOT, base=BASE[name], num_classes=len(CLASSES[name]), data=data, classes=classes)
    )
    return path


@pytest.mark.parametrize(
    ('name', 'layout'),
    [pytest.param(*case, marks=[pytest.mark.host] if case in CASES_OF_HOST else []) for case in CASES],
)
def test_two_iterations_of_training(tmp_path: Path, name: str, layout: str) -> None:
    data = make_miniature(tmp_path / 'data', name, layout)
    config = write_config(tmp_path, name, data)
    answer = tool('train', config, '--gpus', 0, '--work-dir', tmp_path / 'run', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    found = read_results(tmp_path / 'run')
    assert found['class_counts'] == [max(1, 4 - label) for label in range(len(CLASSES[name]))]
    assert found['epochs'] == 1
    assert 'broken_images' not in found


def spoilt(tmp_path: Path) -> tuple[Path, Path]:
    """Config over a miniature whose first two training images and last test image are truncated."""
    data = make_miniature(tmp_path / 'data', 'places', 'places365')
    for path in (*sorted((data / 'data_256/a/airfield').iterdir())[:2], sorted((data / 'val_256').iterdir())[-1]):
        path.write_bytes(path.read_bytes()[:-20])
    return data, write_config(tmp_path, 'places', data)


@pytest.mark.distributed
def test_broken_images_are_listed_at_the_end_and_stop_a_test(tmp_path: Path) -> None:
    """A whole epoch of two processes with a worker each; the next command tests the checkpoint."""
    data, config = spoilt(tmp_path)
    settings = ['train_dataloader.num_batch_per_epoch=None']
    answer = tool(
        *('train', config, '--gpus', 2, '--device', 'cpu', '--work-dir', tmp_path / 'run'),
        *('--cfg-options', *settings),
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stdout
    broken = [str(path) for path in sorted((data / 'data_256/a/airfield').iterdir())[:2]]
    assert read_results(tmp_path / 'run')['broken_images'] == broken
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert '2 broken training images were left out' in log
    assert all(path in log for path in broken)
    answer = tool(
        *('test', config, tmp_path / 'run/epoch_1.pth', '--gpus', 0, '--work-dir', tmp_path / 'test'),
        *('--cfg-options', 'test_dataloader.num_workers=1'),
        cwd=tmp_path,
    )
    assert answer.returncode == 1
    assert 'Traceback' not in answer.stdout
    last = answer.stdout.strip().splitlines()[-1]
    assert last.startswith(f'error: {data}/val_256/Places365_val_00000470.jpg cannot be decoded')


@pytest.mark.parametrize(('workers', 'start'), [(0, 'fork'), (1, 'spawn')])
def test_too_many_broken_images_end_training_in_a_sentence(tmp_path: Path, workers: int, start: str) -> None:
    """A second run in the same folder, of which nothing is taken away however early it ends."""
    data, config = spoilt(tmp_path)
    (tmp_path / 'run').mkdir()
    settings = ['train_dataloader.num_batch_per_epoch=None', 'train_dataloader.dataset.max_broken=1']
    settings += [f'train_dataloader.num_workers={workers}', f'env_cfg.mp_cfg.mp_start_method={start}']
    answer = tool(
        *('train', config, '--gpus', 0, '--work-dir', tmp_path / 'run', '--cfg-options', *settings), cwd=tmp_path
    )
    assert answer.returncode == 1
    assert 'Traceback' not in answer.stdout
    last = answer.stdout.strip().splitlines()[-1]
    assert last.startswith(f'error: {data}/data_256/a/airfield/')
    assert 'it is broken image 2 of 11, and at most 1 may be' in last
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert '2 broken training images were left out' in log
    assert all(str(path) in log for path in sorted((data / 'data_256/a/airfield').iterdir())[:2])
