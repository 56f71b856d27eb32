"""Mistakes of a user end before training, in a sentence, and leave no work folder behind."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import ROOT, heed_interrupts, tool
from digits_run import short_config

from mmdrl.engine.config import load_config
from mmdrl.engine.preflight import check_data_paths
from mmdrl.engine.run import evaluate, train_model
from mmdrl.engine.stages import StagePlan
from mmdrl.errors import ConfigError, DataError, MMDRLError

CONFIG = ROOT / 'configs/drl_r8_digits-lt.py'


def refused(cfg: Any, error: type[MMDRLError], message: str, **settings: Any) -> None:
    cfg.experiment_name = Path(cfg.work_dir).parent.name  # MMEngine keeps its loggers by name
    with pytest.raises(error, match=message):
        train_model(cfg, **settings)
    assert not Path(cfg.work_dir).exists()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'model.head.dr_loss.radius.type': 'mmdrl.BigRadius'}, r'CountRadius.*LearnedRadius.*BigRadius'),
        ({'model.head.dr_loss.radius.scale': -1.0}, r'scale.*-1'),
        ({'model.head.dr_loss.scope': 'batch'}, r"scope.*'batch'"),
        ({'model.head.num_classes': 12}, r'num_classes is 12.*10 classes.*num_classes=10'),
        ({'train_cfg.max_epochs': 7}, r'2 \+ 2 \+ 1 = 5 epochs.*7'),
        ({'train_dataloader.dataset.imbalance_ratio': 0.01}, r'imbalance_ratio.*0\.01.*100'),
        ({'val_evaluator.0.many': 10}, r'many.*few'),
    ],
)
def test_config_that_cannot_work_is_refused(tmp_path: Path, changes: dict, message: str) -> None:
    refused(short_config(tmp_path / 'run', **changes), ConfigError, message)


def test_more_images_than_there_are_is_refused(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', **{'train_dataloader.dataset.max_count': 500})
    refused(cfg, DataError, r'Class 0 has 178 images, but 550 are needed')


def write_images(path: Path, labels: list[int]) -> None:
    images = np.zeros((len(labels), 8, 8, 1), dtype=np.uint8)
    np.savez(path, images=images, labels=np.array(labels))


@pytest.mark.parametrize(
    ('labels', 'error', 'message'),
    [
        ([*range(10), 10], DataError, r'in \[0, 10\), got 10 at position 10.*num_classes'),
        ([0, 1, 2, 3, 4, 5, 6, 8, 9], ConfigError, r'none for 1 of 10 \(class 7\)'),
    ],
)
def test_training_labels_must_fit_the_head(
    tmp_path: Path, labels: list[int], error: type[MMDRLError], message: str
) -> None:
    write_images(tmp_path / 'images.npz', labels)
    cfg = short_config(tmp_path / 'run', stages=[dict(name='only', epochs=1)])
    pipeline = [dict(type='PackInputs')]
    cfg.train_dataloader.dataset = dict(
        type='mmdrl.ArrayDataset', data_file='images.npz', data_root=str(tmp_path), pipeline=pipeline
    )
    refused(cfg, error, message)


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('train/a.JPEG\n', r'line 2: expected "path label".*train/a\.JPEG'),
        ('train/a.JPEG cat\n', r'line 2: .*cat'),
        ('train/a.JPEG -1\n', r'line 2: .*-1'),
        ('train/a.JPEG 1000\n', r'line 2: there are 1000 classes.*got class 1000'),
        ('train/../../a.JPEG 0\n', r'line 2: paths must be relative'),
        ('train/x.JPEG 1\n', r'line 2: every image must occur once.*line 1'),
        ('train/y.JPEG 2\n', r'no image of class 1'),
        ('train/y.JPEG 1\n', r'not the published ImageNet_LT_train\.txt: expected 115,846 images'),
    ],
)
def test_broken_list_is_named_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / 'ImageNet_LT_train.txt').write_text('train/x.JPEG 0\n' + row)
    cfg = load_config(str(ROOT / 'configs/drl_r50_imagenet-lt.py'), work_dir=str(tmp_path / 'run'))
    cfg.train_dataloader.dataset.data_root = str(tmp_path)
    refused(cfg, DataError, message)


def test_list_whose_images_are_elsewhere_is_named(tmp_path: Path) -> None:
    (tmp_path / 'ImageNet_LT_train.txt').write_text('trian/x.JPEG 0\n')
    cfg = load_config(str(ROOT / 'configs/drl_r50_imagenet-lt.py'), work_dir=str(tmp_path / 'run'))
    cfg.train_dataloader.dataset.update(data_root=str(tmp_path), check_numbers=False)
    refused(cfg, DataError, r'None of the images .*ImageNet_LT_train\.txt exists: expected .*trian/x\.JPEG\.')


def test_lists_of_mmpretrain_are_looked_at_too(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run')
    cfg.train_dataloader.dataset = dict(type='CustomDataset', data_root=str(tmp_path), ann_file='list.txt')
    for text, message in (('a.jpg 0\nb.jpg\n', 'line 2: expected'), ('a.jpg 0\n', r'names a\.jpg, but there is no')):
        (tmp_path / 'list.txt').write_text(text)
        refused(cfg, DataError, message)


def test_argument_that_a_list_does_not_have_is_refused(tmp_path: Path) -> None:
    cfg = load_config(str(ROOT / 'configs/drl_r50_imagenet-lt.py'), work_dir=str(tmp_path / 'run'))
    cfg.train_dataloader.dataset.update(data_root=str(tmp_path), splits='train')
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    refused(cfg, ConfigError, 'splits')


def test_data_set_that_downloads_itself_is_let_through(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run')
    cfg.train_dataloader.dataset = dict(type='CIFAR10', data_root=str(tmp_path / 'later'))
    check_data_paths(cfg, ('train_dataloader',))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'model.backbone.type': 'ResNet9'}, r'ResNet9 is not in the .* registry'),
        ({'model.head.numclasses': 10}, r'numclasses'),
        ({'model.head.in_channels': 32}, r'\(B, 32\), got \(32, 64\).*in_channels'),
        ({'model.head.dr_loss.temperature': 'hot'}, r'DRLoss'),
        ({'model.head.dr_loss.radius.scale': 'x'}, r"scale.*'x'"),
        ({'model.head.dr_loss.loss_weight': 'x'}, r"loss_weight.*'x'"),
        ({'train_dataloader.dataset.ratio': 10}, r"config does not fit: LongTailDataset.*'ratio'"),
        ({'train_dataloader.sampler.sead': 0}, r"config does not fit: DefaultSampler.*'sead'.*_delete_=True"),
        (
            {'default_hooks.stages.stages.1.sampler.per_class': 4},
            r"'feature': the sampler does not fit: ClassAwareSampler.*'per_class'",
        ),
        ({'optim_wrapper.optimizer.rate': 0.1}, r"config does not fit: SGD.*'rate'"),
    ],
)
def test_misspelt_names_and_words_for_numbers_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    refused(short_config(tmp_path / 'run', **changes), ConfigError, message)


def test_config_without_a_model_is_refused(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run')
    cfg.pop('model')
    refused(cfg, ConfigError, 'names no model')


@pytest.mark.slow
def test_interrupt_from_the_keyboard_ends_in_a_sentence(tmp_path: Path) -> None:
    # Without checkpoints: MMEngine makes a SyntaxError of an interrupt while it writes one.
    options = ['--gpus', '0', '--cfg-options', 'default_hooks.checkpoint.interval=1000']
    command = [sys.executable, '-W', 'ignore', ROOT / 'tools/train.py', CONFIG, *options]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with subprocess.Popen(command, cwd=tmp_path, text=True, preexec_fn=heed_interrupts, **pipes) as process:
        assert process.stdout is not None
        assert any('Epoch(train)' in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith('Stopped. ')
    assert 'Traceback' not in errors


def test_work_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'run').write_text('mine')
    with pytest.raises(ConfigError, match='work folder'):
        train_model(short_config(tmp_path / 'run'))
    assert (tmp_path / 'run').read_text() == 'mine'


def test_error_in_the_middle_of_a_run_keeps_its_folder(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run')
    cfg.val_evaluator[0].class_counts = [1] * 7  # noticed at the first validation
    cfg.default_hooks.checkpoint.interval = 100
    cfg.train_cfg.val_interval = 1
    with pytest.raises(MMDRLError):
        train_model(cfg)
    assert list((tmp_path / 'run').iterdir())


def test_folder_for_the_metrics_is_looked_for_before_the_test(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'--out.*nowhere'):
        evaluate(short_config(tmp_path / 'run'), 'x.pth', out=str(tmp_path / 'nowhere/m.json'))


@pytest.mark.parametrize(('root', 'message'), [('nowhere', 'folder .*nowhere'), ('.', r'file at .*images\.npz')])
def test_missing_data_is_named(tmp_path: Path, root: str, message: str) -> None:
    cfg = short_config(tmp_path / 'run')
    dataset = dict(type='mmdrl.ArrayDataset', data_file='images.npz', data_root=str(tmp_path / root))
    cfg.train_dataloader.dataset.dataset = dataset
    refused(cfg, DataError, message + r'.*train_dataloader\.dataset\.dataset')


def test_missing_checkpoint_to_resume_from_is_named(tmp_path: Path) -> None:
    refused(short_config(tmp_path / 'run'), DataError, r'lost\.pth', resume='lost.pth')


def test_mixed_precision_on_the_cpu_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    refused(short_config(tmp_path / 'run'), ConfigError, '--amp needs a GPU', amp=True)


def test_a_work_folder_that_was_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / 'run'
    folder.mkdir()
    (folder / 'notes.txt').write_text('mine')
    cfg = short_config(folder, **{'model.head.num_classes': 12})
    with pytest.raises(ConfigError):
        train_model(cfg)
    assert (folder / 'notes.txt').read_text() == 'mine'


def test_missing_checkpoint_to_test_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'lost\.pth'):
        evaluate(short_config(tmp_path / 'run'), 'lost.pth')


@pytest.mark.parametrize(
    'option',
    ['max_epochs', 'a=[dict(b=1, c=2)]', 'default_hooks.stages.stages.9.epochs=1', 'model.head.num_classes.x=1'],
)
def test_override_that_cannot_be_read_is_quoted(option: str) -> None:
    with pytest.raises(ConfigError, match='cfg-options') as refusal:
        load_config(str(CONFIG), [option])
    assert option in str(refusal.value)


@pytest.mark.parametrize(
    ('name', 'text'), [('broken.py', 'model = dict('), ('orphan.py', "_base_ = 'no.py'"), ('config.txt', 'a = 1')]
)
def test_config_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=name.replace('.', r'\.')):
        load_config(str(tmp_path / name))


def test_flags_switch_off_what_the_config_switches_on(tmp_path: Path) -> None:
    on = ['train_dataloader.persistent_workers=True', 'train_dataloader.pin_memory=True']
    cfg = load_config(str(CONFIG), on, pin_memory=False, persistent_workers=False)
    assert not cfg.train_dataloader.pin_memory
    assert not cfg.train_dataloader.persistent_workers


def test_missing_config_is_named() -> None:
    with pytest.raises(ConfigError, match=r'configs/no\.py'):
        load_config('configs/no.py')


def test_tool_prints_the_sentence_alone_and_fails(tmp_path: Path) -> None:
    option = 'model.head.dr_loss.radius.type=mmdrl.BigRadius'
    answer = tool('train', CONFIG, '--gpus', 0, '--cfg-options', option, cwd=tmp_path)
    assert answer.returncode == 1
    assert 'Traceback' not in answer.stdout
    last = answer.stdout.strip().splitlines()[-1]
    assert last.startswith('error: DRLoss: radius must name a radius policy')
    assert not (tmp_path / 'work_dirs').exists() or not list((tmp_path / 'work_dirs').iterdir())


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("stages = [dict(name='a', epochs=50)]", r"stages, but no hook.*default_hooks=dict\(stages=dict\(type='mmdrl"),
        (
            "default_hooks = dict(stages=[dict(name='a', epochs=50)])",
            r'default_hooks.stages must be a dict.*TwoStageHook',
        ),
    ],
)
def test_stages_that_no_hook_takes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = '{ROOT}/configs/digits_lt/ce_r8_digits-lt-ir50.py'\n{text}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(str(path))


@pytest.mark.parametrize('where', ['model', 'stage', 'preprocessor'])
def test_loss_that_nobody_would_tell_the_class_counts_is_refused(tmp_path: Path, where: str) -> None:
    loss = dict(type='mmdrl.BalancedSoftmaxLoss', num_classes=10)
    stages = [dict(name='a', epochs=1), dict(name='b', epochs=1, **(dict(loss=loss) if where == 'stage' else {}))]
    cfg = short_config(tmp_path / 'run', stages)
    cfg.model.head = dict(type='LinearClsHead', num_classes=10, in_channels=64)
    if where == 'model':
        cfg.model.head.loss = loss
        del cfg.default_hooks.stages
    if where == 'preprocessor':
        cfg.model.data_preprocessor.type = 'mmdrl.RemixDataPreprocessor'
    cfg.default_hooks.pop('class_counts')
    refused(cfg, ConfigError, r'(BalancedSoftmaxLoss|RemixDataPreprocessor) goes by.*mmdrl.ClassCountsHook')


def test_name_without_its_scope_is_recognised(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run')
    cfg.train_dataloader.sampler = dict(type='ClassAwareSampler')
    refused(cfg, ConfigError, r'Did you mean mmdrl.ClassAwareSampler\?')


def test_mistyped_key_of_a_stage_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Stage 'b' takes.*got freze\. Did you mean freeze\?"):
        StagePlan([dict(name='a', epochs=1), dict(name='b', epochs=1, freze=['backbone'])])


PLAIN = """
_base_ = ['mmpretrain::_base_/models/resnet18.py', 'mmpretrain::_base_/default_runtime.py']
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_root='birds', pipeline=[dict(type='LoadImageFromFile')]))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
train_cfg = dict(by_epoch=True, max_epochs=1)
"""


@pytest.mark.parametrize(
    ('options', 'files', 'error', 'message'),
    [
        ([], [], DataError, r'folder birds, found none.*train_dataloader\.dataset\.data_root'),
        (['train_dataloader.dataset.data_prefix=train'], ['birds/owl/1.jpg'], DataError, r'folder birds/train, found'),
        (
            ['train_dataloader.dataset.type=ImageNet', 'train_dataloader.dataset.split=train'],
            ['birds/meta/train.txt'],
            DataError,
            r'folder birds/train, found none',
        ),
        ([], ['birds/readme.txt'], DataError, r'Found 0 files in subfolders'),
        (['train_dataloader.dataset.type=Places205'], [], DataError, r'birds\S* is missing.*data_root'),
        (
            ['model.backbone.init_cfg.type=Pretrained', 'model.backbone.init_cfg.checkpoint=lost.pth'],
            ['birds/owl/1.jpg'],
            DataError,
            r'lost\.pth can not be found.*init_cfg',
        ),
        (
            ['test_cfg.a=1'],
            ['birds/owl/1.jpg'],
            ConfigError,
            r'test_dataloader, test_cfg, and test_evaluator should be',
        ),
    ],
)
def test_plain_config_of_mmpretrain_whose_files_are_missing_ends_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    files: list[str],
    error: type[MMDRLError],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('plain.py').write_text(PLAIN)
    for name in files:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text('1.jpg 0\n')
    refused(load_config('plain.py', options, work_dir=str(tmp_path / 'run')), error, message)
