"""Figures of whole runs: drawn by the hooks, from what a run has left, and by the tools."""

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from command import tool
from digits_run import STAGES, short_config, train
from mmengine.hooks import Hook
from refusals import command

from mmdrl.engine.class_radii import class_scalars
from mmdrl.engine.figures import compare_figures, folder_names, run_figures, write_figures
from mmdrl.engine.hooks import FigureHook
from mmdrl.engine.hooks.figures import figure_image
from mmdrl.engine.model_parts import unwrap
from mmdrl.engine.results import read_results, write_results
from mmdrl.engine.run_record import read_run
from mmdrl.errors import ConfigError, DataError
from mmdrl.visualization import loss_figure, stage_timeline_figure
from mmdrl.visualization.style import new_figure

ALL = {
    *('class_accuracy', 'group_confusion', 'class_confusion', 'reliability'),
    *('losses', 'accuracy', 'radii', 'stages'),
}
HOOKED = ('class_accuracy', 'group_confusion', 'class_confusion', 'reliability', 'feature_map', 'tsne')


class Witness(Hook):
    """Notes the radii and spreads that the model has at the end of each epoch."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.seen: list[dict[str, float]] = []

    def after_train_epoch(self, runner: Any) -> None:
        head = unwrap(runner.model).head
        with torch.no_grad():
            radius = head.dr_loss.radius(head.statistics)
        few = head.class_counts < 20
        spreads = head.centroids.variances.sqrt()
        pairs = {'radius': radius, 'spread': spreads}
        self.seen.append(
            {f'{name}/{key}': float(value) for name, x in pairs.items() for key, value in _expected(x, few).items()}
        )


def _expected(values: torch.Tensor, few: torch.Tensor) -> dict[str, torch.Tensor]:
    return dict(mean=values.mean(), largest=values.max(), smallest=values.min(), few=values[few].mean())


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Witness]:
    """Two stages of two epochs each, validated after every epoch, with figures of the second and the fourth."""
    folder = tmp_path_factory.mktemp('run') / 'work'
    cfg = short_config(folder, [dict(STAGES[0]), dict(STAGES[1])])
    cfg.model.head.dr_loss.radius = dict(type='mmdrl.MeasuredRadius')
    cfg.train_cfg.val_interval = 1
    cfg.default_hooks.summary.figures = True
    cfg.custom_hooks = [dict(type='mmdrl.FigureHook', interval=2, figures=HOOKED)]
    witness = Witness()
    train(cfg, witness)
    return folder, witness


@pytest.mark.host
def test_hook_hands_figures_to_the_backends_at_their_epochs(run: tuple[Path, Witness]) -> None:
    images = {path.stem: cv2.imread(str(path)) for path in run[0].glob('*/vis_data/vis_image/*.png')}
    assert set(images) == {f'{name}_{epoch}' for name in HOOKED for epoch in (2, 4)}
    for image in images.values():
        assert image.shape[2] == 3
        assert min(image.shape[:2]) > 250
        assert (image == 255).mean() > 0.3
        assert image.std() > 10


@pytest.mark.host
def test_run_leaves_all_its_figures(run: tuple[Path, Witness]) -> None:
    assert {path.stem for path in (run[0] / 'figures').glob('*.png')} == {*ALL, 'feature_map'}
    assert set(run_figures(read_run(run[0]))) == ALL


def test_radii_and_spreads_are_logged_once_per_epoch_as_the_model_has_them(run: tuple[Path, Witness]) -> None:
    """The policy measures, so every epoch has other radii."""
    text = next(run[0].glob('*/vis_data/scalars.json')).read_text()
    logged = [entry for line in text.splitlines() if 'radius/mean' in (entry := json.loads(line))]
    assert [entry['step'] for entry in logged] == [11, 22, 26, 30]
    assert len({entry['radius/mean'] for entry in logged}) == 4
    for entry, expected in zip(logged, run[1].seen, strict=True):
        assert {key: entry[key] for key in expected} == pytest.approx(expected, rel=1e-5)
    record = read_run(run[0])
    assert [entry['radius/few'] for entry in record.train] == [entry['radius/few'] for entry in logged]
    assert len(record.val) == 4


def test_curves_and_matrix_show_what_the_run_has_logged(run: tuple[Path, Witness]) -> None:
    record = read_run(run[0])
    figures = run_figures(record)
    few = next(line for line in figures['accuracy'].axes[0].lines if line.get_label() == 'few')
    assert list(few.get_xdata()) == [1, 2, 3, 4]
    assert list(few.get_ydata()) == pytest.approx([entry['few'] for entry in record.val])
    metrics = record.results['metrics']
    shares = np.asarray(figures['group_confusion'].axes[0].images[0].get_array())
    np.testing.assert_allclose(shares[:, 0], [metrics[group] for group in ('many', 'medium', 'few')])
    text = figures['reliability'].axes[0].texts[0].get_text()
    assert text.startswith(f'ECE {metrics["ece"]:.1f}%')
    names = [tick.get_text() for tick in figures['stages'].axes[0].get_yticklabels()]
    assert names == ['warm-up', 'feature']


def test_broken_off_run_has_the_figures_of_its_log(run: tuple[Path, Witness], tmp_path: Path) -> None:
    shutil.copytree(run[0], tmp_path / 'run')
    (tmp_path / 'run/results.json').unlink()
    (tmp_path / 'run/predictions.npz').unlink()
    assert set(run_figures(read_run(tmp_path / 'run'))) == {'losses', 'accuracy', 'radii', 'stages'}


def test_files_that_do_not_fit_together_are_named(run: tuple[Path, Witness], tmp_path: Path) -> None:
    shutil.copytree(run[0], tmp_path / 'odd')
    write_results(read_results(run[0]) | dict(class_counts=[3, 2, 1]), tmp_path / 'odd')
    with pytest.raises(DataError, match='files of the run odd do not fit together'):
        run_figures(read_run(tmp_path / 'odd'))


def test_two_runs_are_compared_class_by_class(run: tuple[Path, Witness], tmp_path: Path) -> None:
    shutil.copytree(run[0], tmp_path / 'b')
    results = read_results(run[0])
    results['per_class']['linear'] = [0.0] * 9 + [None]
    write_results(results, tmp_path / 'b')
    records = [read_run(tmp_path / 'b'), read_run(run[0])]
    figures = compare_figures(records)
    assert set(figures) == {'accuracy_of_runs', 'class_accuracy_of_runs', 'difference_1_2'}
    gains = [c for c in figures['difference_1_2'].axes[0].collections if str(c.get_label()).startswith('better')]
    expected = np.array(records[1].results['per_class']['linear'])[:9]
    np.testing.assert_allclose(gains[0].get_offsets()[:, 1], expected[expected > 0])
    write_results(results | dict(class_counts=[1] * 10), tmp_path / 'b')
    assert set(compare_figures([read_run(tmp_path / 'b'), records[1]])) == {'accuracy_of_runs'}


def test_figures_reach_tensorboard(tmp_path: Path) -> None:
    accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=1)])
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    cfg.custom_hooks = [dict(type='mmdrl.FigureHook', figures='group_confusion')]
    train(cfg)
    folder = next((tmp_path / 'run').glob('*/vis_data'))
    events = accumulator.EventAccumulator(str(folder), size_guidance=dict(images=0, scalars=0)).Reload()
    assert events.Tags()['images'] == ['group_confusion']
    (event,) = events.Images('group_confusion')
    assert event.step == 1
    found = cv2.imdecode(np.frombuffer(event.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(found, cv2.imread(str(folder / 'vis_image/group_confusion_1.png')))
    assert events.Scalars('radius/few')[0].step == 11


def test_image_is_rgb_with_the_colours_of_the_figure() -> None:
    figure = new_figure(2, 1)
    figure.set_facecolor('#0072B2')
    image = figure_image(figure, 50)
    assert (image.shape, image.dtype) == ((50, 100, 3), np.uint8)
    assert image[0, 0].tolist() == [0x00, 0x72, 0xB2]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(figures=('class_acuracy',)), 'figures must be some of class_accuracy, '),
        (dict(figures=()), 'figures must be some of'),
        (dict(interval=0), 'whole number above 0, got 0'),
        (dict(interval=True), 'whole number above 0, got True'),
    ],
)
def test_settings_of_the_hook_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FigureHook(**settings)


def test_scalars_leave_out_empty_groups_and_unknown_classes() -> None:
    values = np.array([1.0, np.nan, 5.0, np.inf])
    found = class_scalars('radius', values, np.array([500, 50, 50, 0]), dict(many=100, few=20, edges='exclusive'))
    assert found == {
        **{'radius/mean': 3.0, 'radius/largest': 5.0, 'radius/smallest': 1.0},
        **{'radius/many': 1.0, 'radius/medium': 5.0},
    }
    assert class_scalars('radius', np.array([np.nan]), np.array([1]), None) == {}


@pytest.mark.parametrize('kind', ['png', 'svg', 'pdf'])
def test_files_are_of_their_kind_and_the_same_each_time(tmp_path: Path, kind: Any) -> None:
    train_log = [dict(iter=1, epoch=1, loss=1.0, lr=0.1), dict(iter=2, epoch=2, loss=0.5, lr=0.1)]
    paths = [write_figures({'losses': loss_figure(train_log)}, tmp_path / part, kind)[0] for part in ('a', 'b')]
    content = paths[0].read_bytes()
    if kind == 'svg':
        assert ElementTree.fromstring(content).tag.endswith('svg')
    else:
        assert content.startswith({'png': b'\x89PNG', 'pdf': b'%PDF'}[kind])
    assert content == paths[1].read_bytes()
    assert [path.name for path in (tmp_path / 'a').iterdir()] == [f'losses.{kind}']


def test_text_of_users_is_no_formula(tmp_path: Path) -> None:
    """An odd dollar or a broken formula would end in an error of matplotlib's parser."""
    stages = [dict(name='a$\\b$ {', epochs=(1, 2), frozen=['x$_{'], notes=['$\\frac{'])]
    write_figures({'stages': stage_timeline_figure(stages)}, tmp_path)


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(DataError, match=r'Writing figures into .*file'):
        write_figures({}, tmp_path / 'file')


def test_runs_get_names_of_their_own(tmp_path: Path) -> None:
    assert folder_names([tmp_path / 'a/run', tmp_path / 'b/run']) == ['a/run', 'b/run']
    assert folder_names([tmp_path / 'a', tmp_path / 'a', tmp_path / 'b']) == ['a', 'a (2)', 'b']


@pytest.mark.slow
def test_tool_draws_each_run_and_their_comparison(run: tuple[Path, Witness], tmp_path: Path) -> None:
    shutil.copytree(run[0], tmp_path / 'other')
    answer = tool('analysis/figures', run[0], 'other', '--out', 'out', '--format', 'svg', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {
        *('work', 'other', 'accuracy_of_runs.svg', 'class_accuracy_of_runs.svg', 'difference_1_2.svg')
    }
    assert {path.stem for path in (tmp_path / 'out/work').glob('*.svg')} == ALL


def test_mistake_ends_in_a_sentence(run: tuple[Path, Witness], tmp_path: Path) -> None:
    shutil.copytree(run[0], tmp_path / 'other')
    _, text = command('analysis/compare_runs', 'other', '--out', 'figure.bmp2', cwd=tmp_path)
    assert text.splitlines()[-1] == 'error: Expected --out to end in one of .png, .svg, .pdf, got figure.bmp2.'
    status, text = command('analysis/figures', 'nothing', cwd=tmp_path)
    assert (status, 'Traceback' in text) == (1, False)
    assert text.splitlines()[-1].startswith('error: Expected the work folder of a run')
