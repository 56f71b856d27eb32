"""Classes of single images: by MMPretrain's inferencer and by ours, against what testing says of the same images."""

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import ROOT, mim, tool
from digits_run import short_config, train
from miniature import make_miniature
from miniature_cifar import noise, write_arrays
from mmengine.config import Config
from mmpretrain import ImageClassificationInferencer, get_model
from PIL import Image
from torch.testing import assert_close

from mmdrl.engine.build import runner_for
from mmdrl.engine.config import load_config
from mmdrl.engine.predict import Prediction, predict
from mmdrl.engine.trained_model import config_of_checkpoint, trained_model
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS, MODELS

pytestmark = pytest.mark.host
DIGITS = ROOT / 'configs/drl_r8_digits-lt.py'
SAMPLER = dict(type='mmdrl.ClassAwareSampler', num_samples=64)
STAGES = [
    dict(name='warm-up', epochs=1),
    dict(name='classifier', epochs=1, sampler=SAMPLER, head=dict(classifier=dict(type='mmdrl.LWSClassifier'))),
]


@pytest.fixture(scope='module')
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    """Config and checkpoint of a run whose last stage had another head."""
    cfg = short_config(tmp_path_factory.mktemp('digits'), STAGES)
    train(cfg)
    checkpoint = Path(cfg.work_dir) / 'epoch_2.pth'
    content = torch.load(checkpoint, weights_only=False)
    content['state_dict']['head.fc.scale'] = torch.linspace(0.5, 2, 10)  # far from the plain classifier
    torch.save(content, checkpoint)
    cfg.train_dataloader.dataset.dataset.pipeline = [dict(type='RandomCrop', crop_size=8), dict(type='PackInputs')]
    return cfg, checkpoint


def weights(cfg: Config, path: Path, **changes: Any) -> Path:
    """Checkpoint of the model of a config with random weights and statistics, centroids and class counts."""
    torch.manual_seed(0)
    model: Any = MODELS.build(dict(cfg.model, data_preprocessor=dict(cfg.data_preprocessor)))
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 2)
        elif name.startswith('head.fc'):
            value.normal_()
    head = model.head
    head.set_class_counts(torch.arange(head.num_classes) + 1)
    head.centroids.accumulate(torch.randn(head.num_classes, head.in_channels), torch.arange(head.num_classes))
    head.centroids.publish()
    torch.save(dict(meta=changes, state_dict=model.state_dict()), path)
    return path


def what_testing_says(cfg: Config, checkpoint: Path, folder: Path) -> list[Any]:
    """Predictions of every test image, as ``tools/test.py`` makes them."""
    cfg = deepcopy(cfg)
    cfg.work_dir, cfg.experiment_name = str(folder), f'{folder}{id(cfg)}'
    cfg.log_level = 'WARNING'
    for part in ('train', 'val'):
        cfg[f'{part}_dataloader'] = cfg[f'{part}_cfg'] = cfg[f'{part}_evaluator'] = None
    cfg.optim_wrapper = cfg.param_scheduler = None
    runner = runner_for(cfg, str(checkpoint), torch.load(checkpoint, weights_only=False))
    runner.load_or_resume()
    runner.model.eval()
    with torch.no_grad():
        return [
            sample for batch in runner.build_dataloader(cfg.test_dataloader) for sample in runner.model.test_step(batch)
        ]


def assert_same(ours: list[Prediction], theirs: list[dict], expected: list[Any]) -> None:
    """All three say the same of the same images."""
    assert len(ours) == len(theirs) == len(expected) > 0
    for one, other, sample in zip(ours, theirs, expected, strict=True):
        assert (one.error, one.label, other['pred_label']) == ('', int(sample.pred_label), int(sample.pred_label))
        assert other['pred_class'] == one.classes[0]
        scores = sample.pred_score.numpy()
        assert_close(np.array(one.scores), np.sort(scores)[::-1][: len(one.scores)].astype(float), rtol=1e-4, atol=1e-6)
        assert_close(other['pred_scores'], scores, rtol=1e-4, atol=1e-6)


def test_arrays_of_digits_by_a_head_that_a_stage_has_put_in(digits: tuple[Config, Path], tmp_path: Path) -> None:
    cfg, checkpoint = digits
    expected = what_testing_says(cfg, checkpoint, tmp_path)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    images = [dataset[index]['inputs'].permute(1, 2, 0).numpy() for index in range(len(dataset))]
    theirs = ImageClassificationInferencer(config_of_checkpoint(cfg, checkpoint), str(checkpoint), device='cpu')
    ours = predict(cfg, checkpoint, images, device='cpu', topk=3)
    assert_same(ours, theirs(images, batch_size=100), expected)
    assert [one.image for one in ours[:2]] == ['0', '1']
    assert len({one.label for one in ours}) > 1
    without = ImageClassificationInferencer(cfg, str(checkpoint), device='cpu')  # the head of the config, as documented
    assert [one['pred_label'] for one in without(images, batch_size=100)] != [one.label for one in ours]


@pytest.mark.parametrize('number', [10, 100])
def test_files_of_cifar_in_their_colours(tmp_path: Path, number: int) -> None:
    cfg = load_config(str(ROOT / f'configs/drl_r32_cifar{number}-lt.py'))
    images, labels = noise(number, 2 if number == 10 else 1)
    images = np.where(np.arange(3) == 1, images, images // 4 + 190 * (np.arange(3) == 0)).astype(np.uint8)  # reddish
    write_arrays(tmp_path, number, 'test', images, labels)
    cfg.test_dataloader.dataset.update(data_root=str(tmp_path), check_numbers=False)
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    checkpoint = weights(cfg, tmp_path / 'model.pth', dataset_meta=dict(classes=[f'class {i}' for i in range(number)]))
    (tmp_path / 'images').mkdir()
    for index in range(20):
        Image.fromarray(images[index]).save(tmp_path / f'images/{index:02d}.png')
    theirs = ImageClassificationInferencer(cfg, str(checkpoint), device='cpu')
    answers = predict(cfg, checkpoint, tmp_path / 'images', device='cpu')
    paths = [one.image for one in answers]  # MMPretrain takes a folder in the order of the disk
    assert_same(answers, theirs(paths, batch_size=8), what_testing_says(cfg, checkpoint, tmp_path / 'run')[:20])
    assert answers[0].classes[0] == f'class {answers[0].label}'
    assert max(one.scores[0] for one in answers) < 0.99  # no difference hides behind a score of 1
    Image.fromarray(images[3]).resize((96, 64), Image.NEAREST).save(tmp_path / 'large.png')
    assert predict(theirs.model, None, str(tmp_path / 'large.png'))[0].error == ''
    # A config whose test set hands out RGB, and whose preprocessor leaves that as it is.
    cfg.data_preprocessor.to_rgb = False
    cfg.test_dataloader.dataset.channel_order = 'rgb'
    assert predict(cfg, checkpoint, tmp_path / 'images', device='cpu') == answers


def test_files_of_imagenet_lt(tmp_path: Path) -> None:
    make_miniature(tmp_path, 'imagenet', 'nested')
    cfg = load_config(str(ROOT / 'configs/drl_r50_imagenet-lt.py'))
    cfg.merge_from_dict({'model.backbone.depth': 18, 'model.head.in_channels': 512})
    cfg.test_dataloader.dataset.update(data_root=str(tmp_path), check_numbers=False)
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    checkpoint = weights(cfg, tmp_path / 'model.pth')
    expected = what_testing_says(cfg, checkpoint, tmp_path / 'run')
    paths = [sample.img_path for sample in expected]
    theirs = ImageClassificationInferencer(cfg, str(checkpoint), device='cpu')
    ours = predict(cfg, checkpoint, paths, device='cpu')
    assert_same(ours, theirs(paths, batch_size=2), expected)
    assert [one.image for one in ours] == paths
    assert max(one.scores[0] for one in ours) < 0.99  # no difference hides behind a score of 1
    named = set(DATASETS.get('mmdrl.ImageNetLT').METAINFO['classes'])
    assert {one.classes[0] for one in predict(cfg, checkpoint, paths, device='cpu')} <= named


@pytest.fixture
def features_and_head(digits: tuple[Config, Path]) -> tuple[Any, np.ndarray, Any]:
    cfg, checkpoint = digits
    model = trained_model(cfg, checkpoint)
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.no_grad():
        features = model.extract_feat(model.data_preprocessor(dict(inputs=pixels))['inputs'])[-1]
    return images, features.double().numpy(), model.head


def test_nearest_class_mean_is_that_of_the_centroids(digits: tuple[Config, Path], features_and_head: Any) -> None:
    images, features, head = features_and_head
    squares = ((features[:, None] - head.centroids.centroids.double().numpy()) ** 2).sum(axis=2)
    answers = predict(*digits, list(images), 'ncm', device='cpu')
    assert [one.label for one in answers] == squares.argmin(axis=1).tolist()
    # MMPretrain's way to the same: a setting of the head.
    cfg, checkpoint = digits
    model = get_model(config_of_checkpoint(cfg, checkpoint), str(checkpoint), head=dict(predict_with='ncm'))
    assert [one['pred_label'] for one in ImageClassificationInferencer(model)(list(images))] == [
        one.label for one in answers
    ]


@pytest.mark.parametrize('tau', [None, 0.5, 3.0])
def test_adjusted_classifier_subtracts_the_logarithm_of_the_shares(
    digits: tuple[Config, Path], features_and_head: Any, tau: float | None
) -> None:
    images, features, head = features_and_head
    weight, bias, scale = (getattr(head.fc, name).detach().double().numpy() for name in ('weight', 'bias', 'scale'))
    counts = head.class_counts.numpy()
    logits = scale * (features @ weight.T + bias) - (1 if tau is None else tau) * np.log(counts / counts.sum())
    answers = predict(*digits, list(images), 'adjusted', tau, topk=99, device='cpu')
    assert [one.label for one in answers] == logits.argmax(axis=1).tolist()
    assert len(answers[0].labels) == 10
    odds = np.exp(logits[0] - logits[0].max())
    assert_close(np.array(answers[0].scores), np.sort(odds / odds.sum())[::-1].copy(), rtol=1e-4, atol=1e-6)


def test_linear_is_the_classifier_whatever_the_config_says(digits: tuple[Config, Path], features_and_head: Any) -> None:
    images = list(features_and_head[0])
    cfg, checkpoint = digits
    cfg = deepcopy(cfg)
    cfg.model.head.predict_with = 'ncm'
    ncm, linear = (predict(cfg, checkpoint, images, rule, device='cpu') for rule in (None, 'linear'))
    assert linear == predict(*digits, images, device='cpu')
    assert ncm == predict(*digits, images, 'ncm', device='cpu') != linear


def test_answers_do_not_depend_on_the_batch(digits: tuple[Config, Path], features_and_head: Any) -> None:
    images = list(features_and_head[0])
    small, large = (predict(*digits, images, batch_size=size, device='cpu') for size in (1, 40))
    assert [one.labels for one in small] == [one.labels for one in large]


def test_broken_images_are_named_and_the_others_go_on(digits: tuple[Config, Path], tmp_path: Path) -> None:
    folder = tmp_path / 'below/deep'
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    for name in ('a.png', 'b.JPG', 'cut.png'):
        Image.fromarray(pixels).save(folder / name)
    (folder / 'cut.png').write_bytes((folder / 'a.png').read_bytes()[:-30])
    (folder / 'empty.png').touch()
    (folder / 'text.png').write_text('no image')
    (folder / 'notes.txt').write_text('not looked at')
    (folder / 'album.png').mkdir()
    Image.fromarray(pixels[:5]).save(folder / 'small.png')
    answers = predict(*digits, [tmp_path, tmp_path / 'nowhere.png', np.zeros((8, 8, 3), np.uint8)], device='cpu')
    errors = {Path(one.image).name: one.error for one in answers}
    assert list(errors) == ['a.png', 'b.JPG', 'cut.png', 'empty.png', 'small.png', 'text.png', 'nowhere.png', '7']
    assert [name for name, error in errors.items() if not error] == ['a.png', 'b.JPG']
    assert errors['cut.png'].startswith('cannot be decoded')
    assert (errors['empty.png'], errors['text.png'], errors['nowhere.png']) == (
        'is empty',
        'is no image',
        'does not exist',
    )
    small = 'has 5 x 8 pixels, and the test pipeline of the config takes 8 x 8 as they are'
    assert errors['small.png'] == small
    assert errors['7'] == 'is uint8 of shape (8, 8, 3), not uint8 of 1 channels'


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(classifier='knn'), "one of linear, ncm, adjusted, got 'knn'"),
        (dict(tau=2.0), "tau=2.0 is for classifier='adjusted'"),
        (dict(classifier='adjusted', tau=-1.0), 'tau must be a finite number.*-1.0'),
        (dict(topk=0), 'at least 1, got 0'),
    ],
)
def test_bad_settings_end_in_a_sentence(digits: tuple[Config, Path], settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        predict(*digits, np.zeros((8, 8), np.uint8), **settings)


def test_what_the_rule_lacks_is_said_before_any_image_is_read(digits: tuple[Config, Path], tmp_path: Path) -> None:
    cfg, checkpoint = digits
    content = torch.load(checkpoint, weights_only=False)
    state = content['state_dict']
    for name in state:
        if name.endswith(('class_counts', 'centroids.counts', 'centroids.centroids')) or '.centroids.' in name:
            state[name] = torch.zeros_like(state[name])
    torch.save(content, tmp_path / 'bare.pth')
    for rule, missing in (('ncm', 'needs centroids'), ('adjusted', 'ClassCountsHook')):
        with pytest.raises(ConfigError, match=missing):
            predict(cfg, tmp_path / 'bare.pth', 'nowhere.png', rule)
    plain = Config(dict(model=dict(cfg.model, head=dict(type='LinearClsHead', num_classes=10, in_channels=64))))
    plain.test_dataloader = cfg.test_dataloader
    kept = {name: value for name, value in state.items() if name.startswith(('backbone', 'head.fc.w', 'head.fc.b'))}
    torch.save(dict(state_dict=kept), tmp_path / 'plain.pth')
    with pytest.raises(ConfigError, match=r'needs mmdrl.DRHead.*LinearClsHead'):
        predict(plain, tmp_path / 'plain.pth', np.zeros((8, 8), np.uint8), 'ncm')
    assert predict(plain, tmp_path / 'plain.pth', np.zeros((8, 8), np.uint8), device='cpu')[0].classes[0].isdigit()
    with pytest.raises(DataError, match='does not belong to this config'):
        predict(cfg, tmp_path / 'plain.pth', np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match='Expected images in the folder'):
        predict(cfg, checkpoint, tmp_path)
    with pytest.raises(DataError, match='Expected images, got none'):
        predict(cfg, checkpoint, [])


def plain_model(folder: Path, **head: Any) -> tuple[Config, Path]:
    """Config and checkpoint of MMPretrain's own parts, random and without names of classes."""
    head = dict(dict(type='LinearClsHead', num_classes=3, in_channels=32), **head)
    backbone = dict(type='ResNet', depth=18, stem_channels=8, base_channels=4)
    pool = dict(type='GlobalAveragePooling')
    steps = [dict(type='LoadImageFromFile'), dict(type='ResizeEdge', scale=36), dict(type='PackInputs')]
    cfg = Config(
        dict(
            model=dict(type='mmpretrain.ImageClassifier', backbone=backbone, neck=pool, head=head),
            data_preprocessor=dict(mean=[120.0] * 3, std=[60.0] * 3, to_rgb=True),
            test_dataloader=dict(dataset=dict(type='CustomDataset', pipeline=steps)),
        )
    )
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(dict(cfg.model)).state_dict()), folder / 'plain.pth')
    return cfg, folder / 'plain.pth'


def images_of_sizes(*sizes: tuple[int, int]) -> list[np.ndarray]:
    return [np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.mark.parametrize('train_crop', [None, 32])
def test_images_may_differ_in_size_where_the_test_pipeline_lets_them(tmp_path: Path, train_crop: int | None) -> None:
    cfg, checkpoint = plain_model(tmp_path)
    if train_crop:
        steps = [dict(type='RandomResizedCrop', scale=train_crop), dict(type='PackInputs')]
        cfg.train_dataloader = dict(dataset=dict(type='CustomDataset', pipeline=steps))
    images = images_of_sizes((40, 60), (60, 40), (50, 90))
    model = trained_model(cfg, checkpoint)
    for image, one in zip(images, predict(model, None, images, topk=3), strict=True):
        alone = ImageClassificationInferencer(model, pretrained=None)(image)[0]
        assert (one.error, one.label) == ('', alone['pred_label'])
        assert_close(one.scores[0], float(alone['pred_score']))


def test_size_is_that_of_a_crop_in_the_test_pipeline_whatever_training_crops_to(tmp_path: Path) -> None:
    cfg, checkpoint = plain_model(tmp_path)
    cfg.test_dataloader.dataset.pipeline[1] = dict(type='CenterCrop', crop_size=224)
    steps = [dict(type='RandomResizedCrop', scale=192), dict(type='PackInputs')]
    cfg.train_dataloader = dict(dataset=dict(type='CustomDataset', pipeline=steps))
    answers = predict(cfg, checkpoint, images_of_sizes((230, 240), (300, 250)), device='cpu')
    assert [one.error for one in answers] == ['', '']


@pytest.mark.parametrize(
    ('settings', 'names'),
    [
        (dict(classes=['ant', 'bee', 'cat']), 'ant bee cat'),
        (dict(classes='names.txt'), 'one two three'),
        (dict(metainfo=dict(classes='names.txt')), 'one two three'),
        (dict(metainfo=dict(classes=['ant', 'bee'])), '0 1 2'),
        (dict(type='CIFAR10'), '0 1 2'),
    ],
)
def test_names_are_those_of_the_test_set_if_it_has_as_many_as_there_are_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict, names: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('names.txt').write_text('one\ntwo\nthree\n')
    cfg, checkpoint = plain_model(tmp_path)
    cfg.test_dataloader.dataset.update(settings)
    answer = predict(cfg, checkpoint, images_of_sizes((40, 40)), device='cpu', topk=3)[0]
    assert dict(zip(answer.labels, answer.classes, strict=True)) == dict(enumerate(names.split()))


def test_scores_that_are_not_numbers_are_no_answer(tmp_path: Path) -> None:
    cfg, checkpoint = plain_model(tmp_path)
    content = torch.load(checkpoint, weights_only=True)
    for name in ('weight', 'bias'):
        content['state_dict'][f'head.fc.{name}'][:] = 3e38  # all logits are infinite then, and no softmax is a number
    torch.save(content, checkpoint)
    answer = predict(cfg, checkpoint, images_of_sizes((40, 40)), device='cpu')[0]
    assert 'had the training of the model diverged?' in answer.error
    assert (answer.label, answer.scores) == (-1, ())


def test_head_with_several_labels_ends_in_a_sentence(tmp_path: Path) -> None:
    cfg, checkpoint = plain_model(tmp_path, type='MultiLabelLinearClsHead')
    with pytest.raises(ConfigError, match='MultiLabelLinearClsHead has several labels per image'):
        predict(cfg, checkpoint, images_of_sizes((40, 40)), device='cpu')


def test_classifier_of_another_kind_is_not_taken_for_the_configs(digits: tuple[Config, Path]) -> None:
    cfg, checkpoint = deepcopy(digits[0]), digits[1]
    del cfg.default_hooks['stages']  # the config of a run that never had the factors of LWS
    with pytest.raises(DataError, match=r'its classifier has head\.fc\.scale'):
        predict(cfg, checkpoint, np.zeros((8, 8), np.uint8), device='cpu')


@pytest.mark.slow
def test_names_that_are_no_text_are_printed_and_written(tmp_path: Path) -> None:
    cfg, checkpoint = plain_model(tmp_path)
    cfg.dump(tmp_path / 'run.py')
    (tmp_path / 'images').mkdir()
    name = os.fsdecode(b'images/\xff\xe9.png')
    try:
        Image.fromarray(images_of_sizes((40, 40))[0]).save(tmp_path / name)
    except OSError:
        pytest.skip('the file system takes text only')
    answer = tool('predict', 'run.py', checkpoint, 'images', '--out', 'all.csv', '--device', 'cpu', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert (tmp_path / 'all.csv').read_bytes().splitlines()[1].startswith(b'images/\xff\xe9.png,1,')


@pytest.mark.slow
def test_tool_prints_and_writes_what_it_finds(digits: tuple[Config, Path], tmp_path: Path) -> None:
    cfg, checkpoint = digits
    cfg.dump(tmp_path / 'run.py')
    (tmp_path / 'images').mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f'images/[{index}].png')
    expected = predict(cfg, checkpoint, list(pixels), 'adjusted', 2.0, topk=2, device='cpu')
    words = ['run.py', checkpoint, 'images', '--classifier', 'adjusted', '--tau', 2, '--topk', 2]
    answer = tool('predict', *words, '--out', 'new/all.json', '--device', 'cpu', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    for index, one in enumerate(expected):
        assert f'images/[{index}].png │ {one.classes[0]}     │ {one.scores[0]:.3f}' in answer.stdout
    found = json.loads((tmp_path / 'new/all.json').read_text())
    assert (found['classifier'], found['tau']) == ('adjusted', 2.0)
    assert [[top['label'] for top in image['top']] for image in found['images']] == [list(o.labels) for o in expected]
    answer = mim(
        'run', 'mmdrl', 'predict', 'run.py', checkpoint, 'images', 'none.png', '--out', 'all.csv', cwd=tmp_path
    )
    assert answer.returncode == 1
    assert 'error: none.png does not exist' in answer.stdout.splitlines()
    rows = [line.split(',') for line in (tmp_path / 'all.csv').read_text().splitlines()]
    assert len(rows) == 1 + 3 * 5 + 1
    assert rows[-1] == ['none.png', '', '', '', '', 'does not exist']
