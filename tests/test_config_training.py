"""Every config trains as it is, two iterations in each stage, and does what its stages say.

Images are noise: as large as the real ones for CIFAR, 32 pixels instead of 224 for the large sets. These have all their
classes but where one thing is changed in a config that is trained here, too.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmengine.config.utils
import numpy as np
import pytest
import torch
from command import ROOT
from digits_run import train
from miniature import make_linked
from miniature_cifar import noise, write_arrays
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdrl.engine.config import LOADERS, load_config
from mmdrl.engine.results import read_results

pytestmark = pytest.mark.slow
CONFIGS = sorted(path for path in (ROOT / 'configs').glob('*/*.py') if path.parent.name != '_base_')
LARGE = {'imagenet_lt': 'imagenet', 'places_lt': 'places', 'inaturalist2018': 'inaturalist'}
BATCHES = 2
PIXELS = 32  # of the large sets
FEW = 8  # classes of a large set in place of all


read_once = functools.cache(mmengine.config.utils.load)


class Recorder(Hook):
    """Which parameters and buffers each epoch has changed, the classifier before and after, and all losses."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.changes: list[set[str]] = []
        self.before: list[dict[str, torch.Tensor]] = []
        self.after: list[dict[str, torch.Tensor]] = []
        self.losses: list[list[dict[str, float]]] = []

    def before_train_epoch(self, runner: Runner) -> None:
        self._start = {k: v.clone() for k, v in runner.model.state_dict().items()}
        self.before.append(classifier(self._start))
        self.losses.append([])

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.losses[-1].append({k: float(v) for k, v in outputs.items()})

    def after_train_epoch(self, runner: Runner) -> None:
        end = runner.model.state_dict()
        self.after.append({k: v.clone() for k, v in classifier(end).items()})
        self.changes.append({k for k, v in end.items() if not torch.equal(self._start[k], v)})

    def changed(self, epoch: int, part: str) -> set[str]:
        """Names that begin with ``part`` of what an epoch has changed."""
        return {name for name in self.changes[epoch] if name.startswith(part)}


def classifier(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k: v for k, v in state.items() if k.startswith('head.fc') and v.numel() < 100_000}


class Data:
    """Folders of noise, each made when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, name: str, num_classes: int) -> Path:
        folder = self.root / f'{name}_{num_classes}'
        if not folder.exists():
            if name in LARGE:
                make_linked(folder, LARGE[name], num_classes)
            else:
                for split, per_class in (('train', 100), ('test', 1)):
                    write_arrays(folder, num_classes, split, *noise(num_classes, per_class))
        return folder


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return Data(tmp_path_factory.mktemp('data'))


@pytest.fixture(autouse=True)
def quick_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what takes longer than these trainings.

    The runner formats its config three times over, for its log. Reading a config that names parts of MMPretrain,
    MMEngine reads all metafiles of MMPretrain for each.
    """
    monkeypatch.setattr(Config, 'pretty_text', '')
    monkeypatch.setattr(mmengine.config.utils, 'load', read_once)


def shortened(path: Path, folder: Path, data: Data) -> Config:
    """The config with an epoch of two batches per stage."""
    cfg = load_config(str(path), work_dir=str(folder / 'run'))
    cfg.train_dataloader.num_batch_per_epoch = BATCHES
    cfg.train_dataloader.batch_size = 4 if path.parent.name in LARGE else 8
    for stage in stages_of(cfg):
        stage.epochs = 1
        if 'sampler' in stage:
            stage.sampler.num_samples = BATCHES * cfg.train_dataloader.batch_size
    cfg.train_cfg.max_epochs = len(stages_of(cfg)) or 1
    cfg.default_hooks.checkpoint = None
    cfg.default_hooks.summary.figures = False
    cfg.log_level = 'WARNING'
    if path.parent.name == 'digits_lt':
        return cfg
    is_ablation = path.parent.name in LARGE and path.stem.startswith('drl-')
    if is_ablation or cfg.model.head.centroids.mode == 'epoch':  # which passes over the whole training set
        make_few(cfg, path)
    root = str(data(path.parent.name, cfg.model.head.num_classes))
    for name in LOADERS:
        cfg[name].update(num_workers=0, persistent_workers=False)
        dataset = cfg[name].dataset
        dataset.get('dataset', dataset).update(data_root=root, check_numbers=False)
    if path.parent.name in LARGE:
        shrink_images(cfg)
        cfg.model.backbone.init_cfg = []  # that of torch stays: no weights are fetched, and none drawn twice
    return cfg


def make_few(cfg: Config, path: Path) -> None:
    """Few training images: of few classes, as each must have one, or of a short tail."""
    if path.parent.name in LARGE:
        cfg.model.head.num_classes = cfg.data_preprocessor.num_classes = FEW
        for name in LOADERS:
            cfg[name].dataset.classes = [str(label) for label in range(FEW)]
    else:
        cfg.train_dataloader.dataset.update(imbalance_ratio=2, max_count=200 // cfg.model.head.num_classes)


def shrink_images(cfg: Config) -> None:
    for name in LOADERS:
        for step in cfg[name].dataset.pipeline:
            step.update({key: PIXELS for key in ('scale', 'crop_size') if key in step})


def stages_of(cfg: Config) -> list[Any]:
    return cfg.default_hooks.get('stages', {}).get('stages', [])


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_stage_trains_and_leaves_alone_what_it_freezes(path: Path, tmp_path: Path, data: Data) -> None:
    cfg = shortened(path, tmp_path, data)
    stages, recorder = stages_of(cfg), Recorder()
    runner = train(cfg, recorder)
    assert [len(epoch) for epoch in recorder.losses] == [BATCHES] * (len(stages) or 1)
    for epoch, stage in enumerate(stages or [{}]):
        for losses in recorder.losses[epoch]:
            assert np.isfinite(list(losses.values())).all()
            assert ('loss_dr' in losses) == (has_dr_loss(cfg) and stage.get('loss_weights', {}).get('loss_dr', 1) > 0)
        for part in (*stage.get('freeze', []), *frozen_blocks(cfg)):
            assert recorder.changed(epoch, part) == set()
        assert recorder.changed(epoch, 'head.fc' if 'backbone' in stage.get('freeze', []) else 'backbone')
    counts = runner.model.head.class_counts.tolist()
    results = read_results(tmp_path / 'run')
    assert results['class_counts'] == counts
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == cfg.model.head.num_classes
    if cfg.model.head.get('predict_with') == 'ncm':
        assert results['metrics']['all'] == results['metrics']['ncm/all']


def has_dr_loss(cfg: Config) -> bool:
    return cfg.model.head.get('dr_loss') is not None


def frozen_blocks(cfg: Config) -> Iterator[str]:
    """Parts of the backbone that the model itself keeps as they are."""
    for block in range(cfg.model.backbone.get('frozen_stages', -1) + 1):
        yield f'backbone.layer{block}' if block else 'backbone.conv1'


@pytest.mark.parametrize('name', ['ce-crt', 'drl-crt'])
def test_crt_starts_its_classifier_anew(name: str, tmp_path: Path, data: Data) -> None:
    path, recorder = ROOT / f'configs/digits_lt/{name}_r8_digits-lt-ir50.py', Recorder()
    train(shortened(path, tmp_path, data), recorder)
    end, start = recorder.after[0]['head.fc.weight'], recorder.before[1]['head.fc.weight']
    assert abs(torch.corrcoef(torch.stack([end.flatten(), start.flatten()]))[0, 1]) < 0.2


def test_lws_learns_the_factors_in_its_second_stage_alone(tmp_path: Path, data: Data) -> None:
    path, recorder = ROOT / 'configs/digits_lt/lws_r8_digits-lt-ir50.py', Recorder()
    train(shortened(path, tmp_path, data), recorder)
    assert torch.equal(recorder.after[0]['head.fc.scale'], torch.ones(10))
    assert recorder.changed(1, 'head.fc') == {'head.fc.scale'}


def test_released_protocol_has_class_counts_in_its_losses_and_radii_that_learn(tmp_path: Path, data: Data) -> None:
    path, recorder = ROOT / 'configs/cifar100_lt/drl-released_r32_cifar100-lt-ir100.py', Recorder()
    runner = train(shortened(path, tmp_path, data), recorder)
    radii = [name for name in runner.model.state_dict() if 'radius' in name]
    assert radii
    for stage, is_learned in enumerate((False, True, False)):
        assert bool(recorder.changed(stage, radii[0])) == is_learned
    assert not recorder.changed(1, 'head.fc')
    assert not recorder.changed(2, 'backbone')  # batch statistics, too
