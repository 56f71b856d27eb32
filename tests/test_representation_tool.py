"""The representation tool as a user types it, and the report behind it on short runs of the digits."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import ROOT, benchmark, mim, tool
from digits_run import short_config, train
from mmengine.config import Config
from refusals import command
from rich.console import Console

from mmdrl.engine.representation import (
    labels_of,
    read_reports,
    read_sources,
    representation_report,
    write_reports,
)
from mmdrl.engine.run import evaluate
from mmdrl.errors import ConfigError, DataError, MMDRLError
from mmdrl.visualization.representation_figures import UNITS, Panel, class_size_figure, representation_figures
from mmdrl.visualization.representation_rows import representation_rows
from mmdrl.visualization.representation_tables import representation_tables


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of five epochs."""
    folder = tmp_path_factory.mktemp('representation') / 'drl'
    train(short_config(folder))
    return folder


@pytest.fixture(scope='module')
def checkpoint(run: Path) -> Path:
    return run / 'epoch_5.pth'


@pytest.fixture(scope='module')
def report(run: Path) -> dict[str, Any]:
    source = read_sources([str(run)])[0]
    return representation_report(source.config, source.checkpoint)


def config_of(run: Path) -> Config:
    return read_sources([str(run)])[0].config


def features_by_hand(cfg: Config, checkpoint: Path, loader: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of a data set without transforms, image by image, by MMPretrain's own parts."""
    from mmdrl.engine.trained_model import trained_model
    from mmdrl.registry import DATASETS

    model = trained_model(cfg, checkpoint)
    dataset = DATASETS.build(cfg[loader].dataset)
    features, labels = [], []
    with torch.no_grad():
        for number in range(len(dataset)):
            item = dataset[number]
            batch = model.data_preprocessor(dict(inputs=[item['inputs']], data_samples=[item['data_samples']]))
            features.append(model.head.pre_logits(model.extract_feat(batch['inputs']))[0].double().numpy())
            labels.append(item['data_samples'].gt_label.item())
    return np.array(features), np.array(labels)


@pytest.mark.slow
def test_report_is_that_of_features_taken_one_by_one(run: Path, checkpoint: Path, report: dict[str, Any]) -> None:
    cfg = config_of(run)
    features, labels = features_by_hand(cfg, checkpoint, 'train_dataloader')
    others, other_labels = features_by_hand(cfg, checkpoint, 'test_dataloader')
    assert report['images'] == dict(train=len(features), held_out=len(others))
    of_class = report['per_class']
    assert of_class['train_images'] == np.bincount(labels).tolist() == [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]
    means = np.array([features[labels == c].mean(axis=0) for c in range(10)])
    test_means = np.array([others[other_labels == c].mean(axis=0) for c in range(10)])
    error = np.linalg.norm(means - test_means, axis=1)
    spread = [np.sqrt(((others[other_labels == c] - test_means[c]) ** 2).sum(axis=1).mean()) for c in range(10)]
    np.testing.assert_allclose(of_class['centroid_error'], error, rtol=1e-3)
    np.testing.assert_allclose(of_class['spread_test'], spread, rtol=1e-3)
    np.testing.assert_allclose(of_class['error_to_spread'], error / spread, rtol=1e-3)
    few = np.array(of_class['train_images']) < 20
    assert report['classes']['centroid_error']['few'] == pytest.approx(error[few].mean(), rel=1e-3)
    nearest = np.linalg.norm(others[:, None] - means, axis=2).argmin(axis=1)
    assert report['accuracy']['ncm']['all'] == pytest.approx(100 * (nearest == other_labels).mean(), abs=0.21)


def test_model_has_the_accuracy_that_testing_measures(run: Path, checkpoint: Path, report: dict[str, Any]) -> None:
    cfg = config_of(run)
    cfg.work_dir = str(run / 'tested')
    metrics = evaluate(cfg, str(checkpoint))
    for group, value in report['accuracy']['model'].items():
        assert value == pytest.approx(metrics[group])


def test_radii_are_those_of_the_loss(report: dict[str, Any]) -> None:
    counts = np.array(report['per_class']['train_images'])
    np.testing.assert_allclose(report['per_class']['radius'], 1 / np.sqrt(counts), rtol=1e-6)  # CountRadius, scale 1
    inside = np.array(report['per_class']['centroid_error']) <= report['per_class']['radius']
    assert report['per_class']['in_ball'] == (100.0 * inside).tolist()


def test_counts_come_from_the_training_set_if_the_checkpoint_has_none(
    run: Path, checkpoint: Path, report: dict[str, Any], tmp_path: Path
) -> None:
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    state['head.class_counts'] = torch.zeros_like(state['head.class_counts'])
    torch.save(dict(state_dict=state), tmp_path / 'bare.pth')
    bare = representation_report(config_of(run), tmp_path / 'bare.pth')
    assert bare.pop('checkpoint') == 'bare.pth'
    assert bare == {key: value for key, value in report.items() if key != 'checkpoint'}


def test_benchmark_takes_its_columns_in_percent(report: dict[str, Any]) -> None:
    columns = benchmark('digits_representation').columns_of(report)
    assert columns['NCM few'] == pytest.approx(report['accuracy']['ncm']['few'], abs=1e-4)
    error, nearest = (np.array(report['per_class'][key])[5:] for key in ('centroid_error', 'nearest_centroid'))
    assert columns['error/nearest few'] == pytest.approx(100 * np.mean(error / nearest), abs=1e-3)


def test_report_is_plain_json(report: dict[str, Any]) -> None:
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_models_data_and_config_stay_as_they_are(run: Path, checkpoint: Path, report: dict[str, Any]) -> None:
    cfg, before = config_of(run), checkpoint.read_bytes()
    text = cfg.pretty_text
    again = representation_report(cfg, checkpoint)
    assert again == report
    assert cfg.pretty_text == text
    assert checkpoint.read_bytes() == before


def test_normalized_features_are_of_length_one(run: Path, checkpoint: Path) -> None:
    report = representation_report(config_of(run), checkpoint, normalize=True)
    assert report['normalized'] is True
    # Means of unit vectors: |mean|^2 + spread^2 = 1, so no spread exceeds 1.
    assert 0 < max(report['per_class']['spread_test']) < 1
    assert 'in_ball' not in report['per_class']  # the balls are of the space that is not normalised
    assert 'radius' in report['per_class']


def test_space_of_the_loss_is_projected(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'projected', stages=[dict(name='both', epochs=1)])
    cfg.model.head.update(dr_projection=(6,), dr_normalize=True)
    train(cfg)
    path = tmp_path / 'projected/epoch_1.pth'
    outer = representation_report(cfg, path)
    inner = representation_report(cfg, path, space='loss')
    assert (outer['feature_size'], inner['feature_size']) == (64, 6)
    assert (outer['normalized'], inner['normalized']) == (False, True)
    assert 'in_ball' in inner['per_class']
    assert 'in_ball' not in outer['per_class']
    assert inner['collapse']['train']['nc3'] is None  # no classifier sees this space
    assert inner['accuracy']['model'] == outer['accuracy']['model']


@pytest.mark.host
@pytest.mark.parametrize('head', ['LinearClsHead', 'mmdrl.DRHead, cosine'])
def test_other_heads_are_measured_likewise(tmp_path: Path, head: str) -> None:
    cfg = short_config(tmp_path / 'other', stages=[dict(name='all', epochs=1)])
    if head == 'LinearClsHead':
        cfg.model.head = dict(type=head, num_classes=10, in_channels=64, loss=dict(type='CrossEntropyLoss'))
        for name in ('stages', 'centroids'):
            cfg.default_hooks.pop(name, None)
        cfg.train_cfg.max_epochs = 1
    else:
        cfg.model.head.pop('dr_loss')
        cfg.model.head.classifier = dict(type='mmdrl.CosineClassifier')
    train(cfg)
    report = representation_report(cfg, tmp_path / 'other/epoch_1.pth', k=3)
    assert report['normalized'] is (head != 'LinearClsHead')
    assert report['k'] == 3
    assert 'radius' not in report['per_class']
    assert report['collapse']['train']['nc3'] is not None
    # Rows of a cosine classifier have one length, whatever its weights are.
    assert (report['collapse']['test']['nc2_weight_norms'] < 1e-5) is (head != 'LinearClsHead')


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(split='train'), "The split must be 'test' or 'val', got 'train'."),
        (dict(k=0), 'kNN needs a number of neighbours of at least 1, got 0.'),
        (dict(space='neck'), "The space must be 'classifier' or 'loss', got 'neck'."),
    ],
)
def test_settings_out_of_range_are_refused(run: Path, checkpoint: Path, settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        representation_report(config_of(run), checkpoint, **settings)


def test_space_of_the_loss_needs_the_loss(run: Path, checkpoint: Path) -> None:
    cfg = config_of(run)
    cfg.model.head.dr_loss = None
    with pytest.raises(ConfigError, match='need a head with that loss'):
        representation_report(cfg, checkpoint, space='loss')


def test_config_without_data_says_which(run: Path, checkpoint: Path) -> None:
    for name, message in (('test_dataloader', 'no test_dataloader'), ('train_dataloader', 'no train_dataloader')):
        cfg = config_of(run)
        cfg[name] = None
        with pytest.raises(ConfigError, match=message):
            representation_report(cfg, checkpoint)


def test_features_that_are_not_finite_end_in_a_sentence(run: Path, checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    name = next(name for name in content['state_dict'] if name.startswith('backbone'))
    content['state_dict'][name].fill_(3e38)  # what comes of it is beyond single precision
    torch.save(dict(state_dict=content['state_dict']), tmp_path / 'nan.pth')
    with pytest.raises(DataError, match='Training images: features are not finite'):
        representation_report(config_of(run), tmp_path / 'nan.pth')


def test_sources_are_configs_checkpoints_and_runs(run: Path) -> None:
    first, second = ROOT / 'configs/ce_r8_digits-lt.py', ROOT / 'configs/drl_r8_digits-lt.py'
    found = read_sources([str(first), 'a.pth', 'b.pth', str(second), 'c.pth', str(run)], ['randomness.seed=7'])
    assert [source.checkpoint for source in found[:3]] == ['a.pth', 'b.pth', 'c.pth']
    assert [Path(source.config.filename).stem for source in found[:3]] == [first.stem, first.stem, second.stem]
    assert found[3].checkpoint == str(run / 'epoch_5.pth')
    assert all(source.config.randomness.seed == 7 for source in found)
    assert labels_of(found) == ['a.pth', 'b.pth', 'c.pth', 'drl']
    names = read_sources([str(first), 'x/a.pth', 'y/a.pth', 'x/b.pth'])
    assert labels_of(names) == ['x/a.pth', 'y/a.pth', 'x/b.pth']


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['a.pth'], r'Expected a config \(.py\) before the checkpoint a.pth'),
        (['{config}'], 'Expected a checkpoint after the config .*ce_r8_digits-lt.py, got none'),
        (['{config}', '{config}', 'a.pth'], 'Expected a checkpoint after the config'),
        (['{config}', 'a.pth', '.'], 'results.json'),
        (['nowhere.py', 'a.pth'], 'nowhere.py'),
    ],
)
def test_sources_that_fit_nothing_are_refused(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MMDRLError, match=message):
        read_sources([word.format(config=ROOT / 'configs/ce_r8_digits-lt.py') for word in words])


def test_a_model_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'a\.pth is named twice'):
        labels_of(read_sources([str(ROOT / 'configs/ce_r8_digits-lt.py'), 'a.pth', 'a.pth']))


def test_reports_are_read_as_they_were_written(report: dict[str, Any], tmp_path: Path) -> None:
    write_reports({'drl': report}, tmp_path / 'new/representation.json')
    assert read_reports(tmp_path / 'new') == read_reports(tmp_path / 'new/representation.json') == {'drl': report}


@pytest.mark.parametrize(
    ('text', 'message'),
    [(None, 'found none'), ('{', 'Expected JSON'), ('{"a": 1}', 'got something else'), ('{}', 'got')],
)
def test_file_of_something_else_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / 'representation.json').write_text(text)
    with pytest.raises(DataError, match=message):
        read_reports(tmp_path)


def test_tables_have_a_column_for_each_model(report: dict[str, Any]) -> None:
    bare = json.loads(json.dumps(report))
    for part in ('radius', 'in_ball'):
        del bare['classes'][part]
    reports = {'with [loss]': report, 'without': bare}
    rows = {(row.name, row.part): row.values for table in representation_rows(reports).values() for row in table}
    assert rows['nearest class mean', 'few'] == [report['accuracy']['ncm']['few']] * 2
    assert rows['radius', 'few'] == [report['classes']['radius']['few'], None]
    assert rows['centroid error', 'trend'] == [report['classes']['centroid_error']['rank_correlation']] * 2
    without = representation_rows({'without': bare})
    assert 'radius' not in {row.name for table in without.values() for row in table}
    console = Console(width=200, record=True, file=open('/dev/null', 'w'))  # noqa: SIM115
    for table in representation_tables(reports):
        console.print(table)
    text = console.export_text()
    assert 'with [loss]' in text
    radius = next(line for line in text.splitlines() if line.startswith('│ radius'))
    many = report['classes']['radius']['many']
    assert [cell.strip() for cell in radius.split('│')[1:-1]] == ['radius', 'many', f'{many:.2f}', '-']


def test_figures_show_every_class_and_model(report: dict[str, Any]) -> None:
    bare = json.loads(json.dumps(report))
    del bare['per_class']['radius']
    figures = representation_figures({'a': report, 'b': bare})
    assert set(figures) == {'spread', 'centroid_error', 'radius'}
    axes = figures['centroid_error'].axes[1]
    for line in axes.get_lines()[:2]:
        pairs = sorted(zip(*line.get_data(), strict=True))
        wanted = sorted(zip(report['per_class']['train_images'], report['per_class']['error_to_nearest'], strict=True))
        np.testing.assert_allclose(pairs, wanted)
    assert axes.get_xscale() == 'log'
    assert [len(axes.get_lines()) for axes in figures['radius'].axes] == [1, 2]
    assert [text.get_text() for text in figures['radius'].legends[0].get_texts()] == ['a', 'b']
    assert set(representation_figures({'b': bare})) == {'spread', 'centroid_error'}


def test_figure_of_many_classes_joins_medians(rng: np.random.Generator) -> None:
    sizes = np.repeat([4, 512], 20)
    values = np.where(sizes == 4, 3.0, 1.0) + rng.permutation(np.repeat([-0.5, 0, 0, 0.5], 10))
    values[0] = np.nan
    figure = class_size_figure({'a': sizes}, [(Panel('x', 'a title', UNITS), {'a': values})])
    classes, medians = figure.axes[0].get_lines()
    assert len(classes.get_xdata()) == 39
    assert medians.get_xdata().tolist() == [4, 512]
    assert medians.get_ydata().tolist() == [np.nanmedian(values[:20]), np.median(values[20:])]


def test_figure_wants_one_value_per_class() -> None:
    with pytest.raises(DataError, match='one value for each of 3 classes'):
        class_size_figure({'a': [3, 2, 1]}, [(Panel('x', 'a title', UNITS), {'a': [1.0, 2.0]})])
    with pytest.raises(DataError, match='got none'):
        representation_figures({})


@pytest.mark.slow
def test_tool_prints_and_writes_what_the_report_says(
    run: Path, checkpoint: Path, report: dict[str, Any], tmp_path: Path
) -> None:
    other = tmp_path / 'other.pth'
    shutil.copy(checkpoint, other)
    answer = tool(
        *('analysis/representation', run, run / 'drl_r8_digits-lt.py', other, '--device', 'cpu'),
        *('--json', 'new/numbers.json', '--figures', 'new/figures'),
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stdout
    reports = read_reports(tmp_path / 'new/numbers.json')
    assert list(reports) == ['drl', 'other.pth']
    for part in ('accuracy', 'shot_groups', 'images'):
        assert reports['drl'][part] == reports['other.pth'][part] == report[part]
    np.testing.assert_allclose(
        reports['drl']['per_class']['centroid_error'], report['per_class']['centroid_error'], rtol=1e-4
    )
    lines = [[cell.strip() for cell in line.split('│')[1:-1]] for line in answer.stdout.splitlines()]
    assert ['nearest class mean', 'many', *[f'{report["accuracy"]["ncm"]["many"]:.1f}'] * 2] in lines
    assert sorted(path.name for path in (tmp_path / 'new/figures').iterdir()) == [
        f'representation_{name}.png' for name in ('centroid_error', 'radius', 'spread')
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ['new', 'other.pth']  # no work folder


@pytest.mark.slow
@pytest.mark.host
def test_mim_runs_the_tool(run: Path, checkpoint: Path, tmp_path: Path) -> None:
    config = run / 'drl_r8_digits-lt.py'
    answer = mim('run', 'mmdrl', 'representation', config, checkpoint, '--split', 'val', '-k', 5, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert '331 training and 500 val images, 64 features of the classifier, k=5' in answer.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{0}', '--json', '{0}'], 'error: --json {0} would overwrite {0}. Give it another name.'),
        (['{0}', '--figures', '{0}'], 'error: Expected --figures to name a folder, got the file {0}.'),
    ],
)
def test_mistake_ends_in_a_sentence(checkpoint: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    before = checkpoint.read_bytes()
    words = [ROOT / 'configs/drl_r8_digits-lt.py', *(word.format(checkpoint) for word in arguments)]
    status, text = command('analysis/representation', *words, cwd=tmp_path)
    assert status == 1
    assert text.splitlines()[-1].startswith(message.format(checkpoint))
    assert 'Traceback' not in text
    assert checkpoint.read_bytes() == before
