"""Names of what is validated: ``val/many`` in TensorBoard, ``many`` in scalars.json, few of them in the log's line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from digits_run import short_config
from mmengine.visualization import BaseVisBackend

from mmdrl.engine import BriefLogProcessor
from mmdrl.engine.predictions import read_predictions
from mmdrl.engine.results import read_results
from mmdrl.engine.run import train_model
from mmdrl.errors import ConfigError
from mmdrl.evaluation import Calibration, ClassAccuracy, ShotAccuracy
from mmdrl.registry import VISBACKENDS

BY_LABEL = {*ShotAccuracy.rules, *ClassAccuracy.rules}
OURS = {*BY_LABEL, *(f'ncm/{name}' for name in BY_LABEL), *Calibration.rules}


@VISBACKENDS.register_module()
class KeepingBackend(BaseVisBackend):
    """Keeps what it is sent, as W&B, MLflow and others get it."""

    sent: list = []

    def _init_env(self):
        pass

    @property
    def experiment(self):
        return self

    def add_scalar(self, name, value, step=0, **settings):
        self.sent.append(({name: value}, step))

    def add_scalars(self, scalar_dict, step=0, file_path=None, **settings):
        self.sent.append((dict(scalar_dict), step))


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stages of one epoch each, with the backends at hand."""
    folder = tmp_path_factory.mktemp('validation') / 'run'
    cfg = short_config(folder, [dict(name='first', epochs=1), dict(name='second', epochs=1)])
    cfg.train_cfg.val_interval = 1
    cfg.log_level = 'INFO'
    cfg.default_hooks.logger.interval = 5
    cfg.val_evaluator[0].few = 10
    backends = [dict(type='LocalVisBackend'), dict(type='mmdrl.KeepingBackend', save_dir='unused')]
    try:
        import tensorboard  # noqa: F401

        backends.append(dict(type='TensorboardVisBackend'))
    except ImportError:
        pass
    cfg.visualizer.vis_backends = backends
    KeepingBackend.sent.clear()
    train_model(cfg)
    return folder


def test_backends_get_the_validation_as_val_and_training_as_it_was(run: Path) -> None:
    validations = [(scalars, step) for scalars, step in KeepingBackend.sent if 'val/all' in scalars]
    assert [step for _, step in validations] == [1, 2]
    for scalars, _ in validations:
        assert {f'val/{name}' for name in OURS} <= set(scalars)
        assert all(name.startswith('val/') for name in scalars)
    others = [scalars for scalars, _ in KeepingBackend.sent if 'val/all' not in scalars]
    assert any('loss' in scalars for scalars in others)
    assert not any(name.startswith('val/') or name in OURS for scalars in others for name in scalars)


def test_tensorboard_reads_the_names_and_numbers_back(run: Path) -> None:
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(next(run.glob('*/vis_data'))))
    events.Reload()
    tags = set(events.Tags()['scalars'])
    assert {f'val/{name}' for name in OURS} <= tags
    assert {'loss', 'lr', 'time', 'val/time'} <= tags
    last = events.Scalars('val/few')[-1]
    assert (last.step, last.value) == (2, pytest.approx(read_results(run)['metrics']['few']))


def test_file_on_disk_keeps_the_names(run: Path) -> None:
    lines = [json.loads(line) for line in next(run.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    validations = [line for line in lines if 'all' in line]
    assert len(validations) == 2
    assert set(validations[0]) >= OURS
    assert not any(name.startswith('val/') for line in lines for name in line)


def test_line_of_the_log_is_short_and_names_the_stage(run: Path) -> None:
    lines = [line for line in next(run.glob('*/*.log')).read_text().splitlines() if 'Epoch(val)' in line]
    assert len(lines) == 2
    names = [word[:-1] for word in lines[1].partition(']  ')[2].split() if word.endswith(':')]
    assert names == [
        *('many', 'medium', 'few', 'all', 'ncm/many', 'ncm/medium', 'ncm/few', 'ncm/all'),
        *('macro_f1', 'worst_class', 'ece', 'data_time', 'time'),
    ]
    assert ']  second  ' in lines[1]
    assert f'all: {read_results(run)["metrics"]["all"]:.4f}  ncm/many: ' in lines[1]


def test_results_have_every_value_and_predictions_every_image(run: Path) -> None:
    metrics, found = read_results(run)['metrics'], read_predictions(run)
    assert set(metrics) == OURS
    # The groups are those of ShotAccuracy, whose edges of 60 and 10 stand there alone.
    assert metrics['head_tail_gap'] == pytest.approx(metrics['many'] - metrics['few'])
    few = np.isin(
        found['label'], [label for label, count in enumerate(read_results(run)['class_counts']) if count < 10]
    )
    assert found['brier'][few].mean() == pytest.approx(metrics['brier_few'])
    assert set(found) == {'label', 'linear', 'ncm', 'confidence', 'brier'}
    assert 100 * (found['label'] == found['linear']).mean() == pytest.approx(metrics['all'])
    assert 100 * (found['label'] == found['ncm']).mean() == pytest.approx(metrics['ncm/all'])
    assert found['brier'].mean() == pytest.approx(metrics['brier'])


@pytest.mark.parametrize(
    ('hidden', 'shown'),
    [
        ((), OURS),
        (('all',), OURS - {'all', 'ncm/all'}),
        (['ece.*', 'brier'], {n for n in OURS if n != 'brier' and 'ece' not in n}),
    ],
)
def test_what_the_line_leaves_out_can_be_chosen(hidden: tuple | list, shown: set) -> None:
    head = 'Epoch(val) [1][1/1]    '
    line = BriefLogProcessor(hidden=hidden).shorten(head + '  '.join(f'{name}: nan' for name in sorted(OURS)), OURS)
    assert line.startswith(head.rstrip())
    assert {word[:-1] for word in line.split() if word.endswith(':')} == shown
    assert line.count('nan') == len(shown)


@pytest.mark.parametrize(('hidden', 'message'), [('mce', "list of names, got 'mce'"), (['('], r"'\(' of hidden is no")])
def test_what_is_no_list_of_names_is_refused(hidden: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BriefLogProcessor(hidden=hidden)
