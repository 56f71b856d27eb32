"""Exported models: run by other programs on raw pixels, they say what the trained model says."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from command import tool
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.registry import MODELS as ALL_MODELS
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.testing import assert_close

from mmdrl.engine.export import export, torchscript_file
from mmdrl.engine.export.run import TOLERANCE
from mmdrl.engine.trained_model import trained_model
from mmdrl.errors import ConfigError, DataError, HostError
from mmdrl.registry import MODELS

pytestmark = pytest.mark.host
RESNET8 = (dict(type='mmdrl.ResNet8'), 64, 32)
BACKBONES: dict[str, tuple[dict[str, Any], int, int]] = {
    'ResNet-8': RESNET8,
    'ResNet-32': (dict(type='mmdrl.ResNet32'), 64, 32),
    'ResNet': (dict(type='ResNet', depth=18, stem_channels=8, base_channels=8), 64, 32),
    'ResNeXt': (
        dict(type='ResNeXt', depth=50, groups=4, width_per_group=2, stem_channels=8, base_channels=8, expansion=2),
        128,
        32,
    ),
    'Swin': (
        dict(
            type='SwinTransformer',
            arch=dict(embed_dims=12, depths=[2, 2], num_heads=[2, 4]),
            img_size=64,
            window_size=4,
            out_indices=(1,),
        ),
        24,
        64,
    ),
    'ViT': (
        dict(
            type='VisionTransformer',
            arch=dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48),
            img_size=32,
            patch_size=8,
            out_type='cls_token',
        ),
        24,
        32,
    ),
}
CLASSIFIERS = {
    'cosine': dict(type='mmdrl.CosineClassifier', learn_scale=True),
    'LWS': dict(type='mmdrl.LWSClassifier'),
    'tau-norm': dict(type='mmdrl.TauNormClassifier', tau=0.7),
}
COUNTS = [80, 40, 20, 10, 5]
MEAN, STD = [120.0, 110.0, 100.0], [60.0, 50.0, 40.0]


@MODELS.register_module()
class CountsItsImages(BaseModule):
    """A backbone that an exporter cannot follow: a number depends on the size of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.conv(images) * float(len(images)),)


def trained(
    folder: Path,
    backbone: tuple[dict[str, Any], int, int] = RESNET8,
    seen: tuple[int, ...] = (0, 1, 2, 3, 4),
    channel_order: str | None = None,
    **head: Any,
) -> tuple[Config, Path]:
    """Config and checkpoint of a small model with random weights, statistics, counts and centroids."""
    settings, width, size = backbone
    steps = [dict(type='ResizeEdge', scale=size), dict(type='CenterCrop', crop_size=size), dict(type='PackInputs')]
    if channel_order is None:
        steps.insert(0, dict(type='LoadImageFromFile'))
    cfg = Config(
        dict(
            model=dict(
                type='ImageClassifier',
                backbone=settings,
                neck=None if settings['type'] == 'VisionTransformer' else dict(type='GlobalAveragePooling'),
                head=dict(dict(type='mmdrl.DRHead', num_classes=5, in_channels=width), **head),
            ),
            data_preprocessor=dict(mean=MEAN, std=STD, to_rgb=channel_order != 'rgb', num_classes=5),
            test_dataloader=dict(dataset=dict(type='CustomDataset', channel_order=channel_order, pipeline=steps)),
        )
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = ALL_MODELS.build(dict(cfg.model, data_preprocessor=dict(cfg.data_preprocessor)))
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 2)
        elif 'centroids' not in name and value.is_floating_point():
            value.normal_(std=0.2)
    if hasattr(model.head, 'centroids'):
        model.head.set_class_counts(torch.tensor(COUNTS))
        model.head.centroids.accumulate(torch.randn(len(seen), width), torch.tensor(seen))
        model.head.centroids.publish()
    meta = dict(dataset_meta=dict(classes=['ant', 'bee', 'cat', 'dog', 'élan']))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), folder / 'model.pth')
    return cfg, folder / 'model.pth'


def random_images(count: int, size: int = 32) -> Tensor:
    """RGB."""
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


@torch.no_grad()
def oracle(cfg: Config, checkpoint: Path, images: Tensor) -> tuple[Any, Tensor, Tensor]:
    """Model, features and logits of the model itself for RGB images, normalised by hand."""
    model = trained_model(cfg, checkpoint)
    mean, std = (torch.tensor(value)[:, None, None] for value in (MEAN, STD))
    inputs = (images.float() - mean) / std
    return model, model.extract_feat(inputs)[-1], model(inputs, mode='tensor')


def by_onnx(path: Path, images: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return torch.from_numpy(session.run(None, {'images': images.numpy()})[0])


def by_torchscript(path: Path, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.jit.load(str(path))(images)


@pytest.mark.parametrize('name', BACKBONES)
def test_scores_are_those_of_the_model_whatever_the_backbone(tmp_path: Path, name: str) -> None:
    cfg, checkpoint = trained(tmp_path, BACKBONES[name])
    size = BACKBONES[name][2]
    made = export(cfg, checkpoint, tmp_path / 'new/model.onnx')
    assert made.kind == 'ONNX'
    assert 0 <= (made.difference or 0) < 1e-5
    export(cfg, checkpoint, tmp_path / 'model.pt', check=False)
    for count in (1, 2, 5):
        images = random_images(count, size)
        _, _, logits = oracle(cfg, checkpoint, images)
        assert logits.std() > 0.01
        assert_close(by_onnx(made.path, images.float()), logits, rtol=1e-4, atol=1e-5)
        # The very bits; pixels of either type.
        assert torch.equal(by_torchscript(tmp_path / 'model.pt', images), logits)
        assert torch.equal(by_torchscript(tmp_path / 'model.pt', images.float()), logits)


@pytest.mark.parametrize('name', CLASSIFIERS)
def test_scores_are_those_of_the_model_whatever_the_classifier(tmp_path: Path, name: str) -> None:
    cfg, checkpoint = trained(tmp_path, classifier=CLASSIFIERS[name])
    made = export(cfg, checkpoint, tmp_path / 'model.onnx')
    assert made.metadata['layer'] == type(trained_model(cfg, checkpoint).head.fc).__name__
    export(cfg, checkpoint, tmp_path / 'model.pt', check=False)
    images = random_images(4)
    _, _, logits = oracle(cfg, checkpoint, images)
    assert_close(by_onnx(made.path, images.float()), logits, rtol=1e-4, atol=1e-5)
    assert torch.equal(by_torchscript(tmp_path / 'model.pt', images), logits)


@pytest.mark.parametrize('kind', ['onnx', 'pt'])
@pytest.mark.parametrize('seen', [(0, 1, 2, 3, 4), (1, 3)])
def test_nearest_class_mean_scores_by_squared_distance(tmp_path: Path, kind: str, seen: tuple[int, ...]) -> None:
    cfg, checkpoint = trained(tmp_path, seen=seen)
    made = export(cfg, checkpoint, tmp_path / f'model.{kind}', 'ncm', check=kind == 'onnx')
    images = random_images(6)
    model, features, _ = oracle(cfg, checkpoint, images)
    squares = ((features[:, None] - model.head.centroids.centroids) ** 2).sum(dim=2).double()
    scores = (by_onnx(made.path, images.float()) if kind == 'onnx' else by_torchscript(made.path, images)).double()
    unseen = [label for label in range(5) if label not in seen]
    assert (scores[:, unseen] == -torch.inf).all()
    known = list(seen)
    assert_close(scores[:, known].softmax(dim=1), (-squares[:, known] / 2).softmax(dim=1), rtol=1e-3, atol=1e-5)
    assert (made.metadata['classifier'], made.metadata['layer'], made.metadata['tau']) == ('ncm', None, None)


@pytest.mark.parametrize('kind', ['onnx', 'pt'])
def test_adjusted_scores_are_less_tau_times_the_logarithm_of_the_shares(tmp_path: Path, kind: str) -> None:
    cfg, checkpoint = trained(tmp_path)
    made = export(cfg, checkpoint, tmp_path / f'model.{kind}', 'adjusted', 1.5, check=kind == 'onnx')
    images = random_images(3)
    _, _, logits = oracle(cfg, checkpoint, images)
    expected = logits.double() - 1.5 * torch.tensor(COUNTS).double().div(sum(COUNTS)).log()
    scores = by_onnx(made.path, images.float()) if kind == 'onnx' else by_torchscript(made.path, images)
    assert_close(scores.double(), expected, rtol=1e-4, atol=1e-5)
    assert (made.metadata['classifier'], made.metadata['tau']) == ('adjusted', 1.5)


@pytest.mark.parametrize('order', ['rgb', 'bgr'])
def test_pixels_go_in_as_rgb_whatever_the_data_set_hands_out(tmp_path: Path, order: str) -> None:
    cfg, checkpoint = trained(tmp_path, channel_order=order)
    images = random_images(2)
    _, _, logits = oracle(cfg, checkpoint, images)
    made = export(cfg, checkpoint, tmp_path / 'model.onnx', dtype='uint8')
    assert_close(by_onnx(made.path, images), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(('order', 'to_rgb'), [(None, False), ('bgr', False), ('rgb', True)])
def test_model_that_was_trained_on_bgr_takes_rgb_all_the_same(tmp_path: Path, order: str | None, to_rgb: bool) -> None:
    cfg, checkpoint = trained(tmp_path, channel_order=order)
    cfg.data_preprocessor.to_rgb = to_rgb
    images = random_images(2)
    _, _, logits = oracle(cfg, checkpoint, images.flip(1))
    made = export(cfg, checkpoint, tmp_path / 'model.onnx')
    assert_close(by_onnx(made.path, images.float()), logits, rtol=1e-4, atol=1e-5)


def test_head_of_mmpretrain_is_exported_as_it_is(tmp_path: Path) -> None:
    cfg, checkpoint = trained(tmp_path, type='LinearClsHead')
    made = export(cfg, checkpoint, tmp_path / 'model.onnx')
    images = random_images(2)
    assert_close(by_onnx(made.path, images.float()), oracle(cfg, checkpoint, images)[2], rtol=1e-4, atol=1e-5)
    assert made.metadata['class_counts'] is None
    with pytest.raises(ConfigError, match=r'needs mmdrl\.DRHead'):
        export(cfg, checkpoint, tmp_path / 'other.onnx', 'ncm')


def test_file_says_what_it_is(tmp_path: Path) -> None:
    cfg, checkpoint = trained(tmp_path)
    made = export(cfg, checkpoint, tmp_path / 'model.onnx')
    model = onnx.load(str(made.path))
    onnx.checker.check_model(model)
    said = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert said == made.metadata
    assert said['classes'] == ['ant', 'bee', 'cat', 'dog', 'élan']
    assert said['class_counts'] == COUNTS
    assert said['checkpoint_sha256'] == sha256(checkpoint.read_bytes()).hexdigest()
    assert said['normalisation_inside'] == dict(mean=MEAN, std=STD)
    assert said['input'] == dict(shape=['batch', 3, 32, 32], dtype='float32', range=[0, 255], channels='RGB')
    assert model.opset_import[0].version == 17
    export(cfg, checkpoint, tmp_path / 'model.pt')
    files = {'metadata.json': ''}
    torch.jit.load(str(tmp_path / 'model.pt'), _extra_files=files)
    assert json.loads(files['metadata.json'])['classes'] == said['classes']
    newer = export(cfg, checkpoint, tmp_path / 'newer.onnx', opset=18, size=(48, 40), check=False)
    assert onnx.load(str(newer.path)).opset_import[0].version == 18
    assert (newer.difference, newer.metadata['input']['shape']) == (None, ['batch', 3, 48, 40])


@pytest.mark.parametrize('number', ['one', 'all'])
def test_scores_beyond_all_numbers_are_told_apart_from_a_wrong_export(tmp_path: Path, number: str) -> None:
    cfg, checkpoint = trained(tmp_path)
    content = torch.load(checkpoint, weights_only=True)
    weight = content['state_dict']['head.fc.weight']
    rows = slice(1 if number == 'one' else None)
    weight[rows, ::2], weight[rows, 1::2] = (
        3e38,
        -3e38,
    )  # the sums are beyond single precision, and their difference no number
    torch.save(content, checkpoint)
    with pytest.raises(DataError, match='scores of random images hold nan'):
        export(cfg, checkpoint, tmp_path / 'model.pt')
    assert not (tmp_path / 'model.pt').exists()


def test_checkpoint_is_not_overwritten_by_its_export(tmp_path: Path) -> None:
    cfg, checkpoint = trained(tmp_path)
    checkpoint = checkpoint.rename(checkpoint.with_suffix('.pt'))
    before = checkpoint.read_bytes()
    with pytest.raises(ConfigError, match=r'--out .*model\.pt would overwrite .*model\.pt\. Give it another name'):
        export(cfg, checkpoint, checkpoint)
    assert checkpoint.read_bytes() == before


def test_scores_that_are_all_infinite_are_compared(tmp_path: Path) -> None:
    cfg, checkpoint = trained(tmp_path)
    content = torch.load(checkpoint, weights_only=True)
    content['state_dict']['head.fc.weight'][:] = 3e38
    torch.save(content, checkpoint)
    assert export(cfg, checkpoint, tmp_path / 'model.pt').difference == 0


@pytest.mark.parametrize('position', [0, 1])
def test_scores_that_are_not_numbers_in_any_batch_fail_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, position: int
) -> None:
    cfg, checkpoint = trained(tmp_path)
    outputs = torchscript_file.outputs

    def broken(path: Path, batches: list[Tensor]) -> list[Tensor]:
        found = outputs(path, batches)
        found[position][0, 0] = torch.nan
        return found

    monkeypatch.setattr(torchscript_file, 'outputs', broken)
    with pytest.raises(DataError, match='nothing was written'):
        export(cfg, checkpoint, tmp_path / 'model.pt')
    assert not (tmp_path / 'model.pt').exists()


@pytest.mark.parametrize('check', [True, False])
def test_size_that_the_model_does_not_take_ends_in_a_sentence(tmp_path: Path, check: bool) -> None:
    arch = dict(embed_dims=8, num_layers=1, tokens_mlp_dims=8, channels_mlp_dims=8)
    mixer = dict(type='MlpMixer', arch=arch, img_size=32, patch_size=8)
    cfg, checkpoint = trained(tmp_path, (mixer, 8, 32))
    cfg.model.neck.dim = 1
    with pytest.raises(ConfigError, match=r'does not take images of 48 x 40 pixels: .*Give --size'):
        export(cfg, checkpoint, tmp_path / 'model.pt', size=(48, 40), check=check)


def test_head_with_several_answers_ends_in_a_sentence(tmp_path: Path) -> None:
    tasks = dict(kind=dict(type='LinearClsHead', num_classes=2), colour=dict(type='LinearClsHead', num_classes=3))
    head = dict(type='MultiTaskHead', task_heads=tasks, in_channels=64, _delete_=True)
    cfg, checkpoint = trained(tmp_path)
    cfg.merge_from_dict(dict(model=dict(head=head)))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.save(dict(state_dict=ALL_MODELS.build(dict(cfg.model)).state_dict()), checkpoint)
    with pytest.raises(ConfigError, match='one score per class; MultiTaskHead gives a dict'):
        export(cfg, checkpoint, tmp_path / 'model.onnx')


def test_fresh_process_finds_torch_wherever_python_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as by PYTHONPATH, or for the user alone; but not in the folder that the tool was started in."""
    (tmp_path / 'path').mkdir()
    for folder, text in (('', 'in the folder'), ('path', 'by PYTHONPATH')):
        (tmp_path / folder / 'torch.py').write_text(f'raise ImportError({text!r})')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path / 'path'))
    with pytest.raises(DataError, match='by PYTHONPATH'):
        torchscript_file.outputs(tmp_path / 'model.pt', [])


@pytest.mark.parametrize('kind', ['onnx', 'pt'])
def test_model_that_an_exporter_gets_wrong_leaves_no_file(tmp_path: Path, kind: str) -> None:
    cfg, checkpoint = trained(tmp_path, (dict(type='mmdrl.CountsItsImages'), 4, 32))
    path = tmp_path / f'out/model.{kind}'
    path.parent.mkdir()
    path.write_text('of before')
    with pytest.raises(DataError, match=f'more than {TOLERANCE:g}; nothing was written'):
        export(cfg, checkpoint, path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_text() == 'of before'


@pytest.mark.parametrize(
    ('name', 'settings', 'error', 'message'),
    [
        ('model.h5', {}, ConfigError, r'--out must end in \.onnx or \.pt'),
        ('model.onnx', dict(opset=30), ConfigError, '--opset must lie in 17 to 20, got 30'),
        ('model.pt', dict(opset=17), ConfigError, '--opset=17 is for .onnx'),
        ('model.onnx', dict(tau=1.0), ConfigError, "tau=1.0 is for classifier='adjusted'"),
        ('model.onnx', dict(size=(-1, 3)), ConfigError, '--size must be at least 1 x 1, got -1 x 3'),
        ('model.onnx', dict(dtype='int8'), ConfigError, "one of float32, uint8, got 'int8'"),
    ],
)
def test_bad_settings_end_in_a_sentence(
    tmp_path: Path, name: str, settings: dict, error: type[Exception], message: str
) -> None:
    cfg, checkpoint = trained(tmp_path)
    with pytest.raises(error, match=message):
        export(cfg, checkpoint, tmp_path / name, **settings)
    assert [file.name for file in tmp_path.iterdir()] == ['model.pth']


def test_missing_packages_are_named_with_the_command_that_gets_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg, checkpoint = trained(tmp_path)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)  # Python's own word for a module that is not there
    with pytest.raises(HostError, match='pip install onnxruntime,'):
        export(cfg, checkpoint, tmp_path / 'model.onnx')
    assert export(cfg, checkpoint, tmp_path / 'model.pt', check=False).path.exists()


def test_size_that_no_pipeline_gives_is_asked_for(tmp_path: Path) -> None:
    cfg, checkpoint = trained(tmp_path)
    cfg.test_dataloader.dataset.pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    with pytest.raises(ConfigError, match='Give --size HEIGHT WIDTH'):
        export(cfg, checkpoint, tmp_path / 'model.onnx')
    crop = [dict(type='LoadImageFromFile'), dict(type='RandomCrop', crop_size=40), dict(type='PackInputs')]
    cfg.train_dataloader = dict(dataset=dict(dataset=dict(type='CustomDataset', pipeline=crop)))
    made = export(cfg, checkpoint, tmp_path / 'model.onnx', check=False)
    assert made.metadata['input']['shape'] == ['batch', 3, 40, 40]


@pytest.mark.slow
def test_tool_writes_a_file_that_a_program_without_mmdrl_runs(tmp_path: Path) -> None:
    cfg, checkpoint = trained(tmp_path)
    cfg.dump(tmp_path / 'config.py')
    answer = tool('export', 'config.py', checkpoint, '--out', 'made/model.onnx', '--classifier', 'ncm', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert 'images (batch, 3 x 32 x 32), RGB, 0 to 255 -> scores before softmax, by ncm' in answer.stdout
    assert 'Largest difference to the model: ' in answer.stdout
    images = random_images(3)
    np.save(tmp_path / 'images.npy', images.float().numpy())
    program = (
        'import numpy, onnxruntime, sys\n'
        "scores, = onnxruntime.InferenceSession('made/model.onnx').run(None, {'images': numpy.load('images.npy')})\n"
        "assert not {'torch', 'mmdrl', 'mmengine'} & set(sys.modules)\n"
        'print(*scores.argmax(axis=1))\n'
    )
    said = subprocess.run([sys.executable, '-c', program], cwd=tmp_path, capture_output=True, text=True, check=True)
    model, features, _ = oracle(cfg, checkpoint, images)
    nearest = torch.cdist(features, model.head.centroids.centroids).argmin(dim=1)
    assert said.stdout.split() == [str(label) for label in nearest.tolist()]
