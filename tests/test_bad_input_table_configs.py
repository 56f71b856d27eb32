"""A table of configs that cannot be trained: each ends before training in a sentence, and leaves every file alone."""

from pathlib import Path

import pytest
from refusals import TRAIN, Said, command, files_below, refuse, write_config

from mmdrl.engine.config import load_config
from mmdrl.errors import ConfigError

pytestmark = pytest.mark.faults
MEND = r'Mend it in the config, or give --cfg-options \S+=\.\.\.'
WHOLE = 'must be a whole number of at least 1'
KEEPS = 'keeps its keys, unless it has _delete_=True'

OPTIONS = {
    # Words, fractions and signs where numbers must be.
    'train_cfg.max_epochs=three': Said(WHOLE, "got 'three'", MEND),
    'train_cfg.max_epochs=-1': Said(WHOLE, 'got -1', MEND),
    'train_cfg.val_interval=0': Said(WHOLE, 'got 0', MEND),
    'train_dataloader.batch_size=0': Said(WHOLE, 'got 0', MEND),
    'train_dataloader.batch_size=2.5': Said(WHOLE, r'got 2\.5', MEND),
    'train_dataloader.num_workers=-1': Said('a whole number of at least 0', 'got -1', MEND),
    'train_dataloader.num_workers=two': Said('a whole number of at least 0', "got 'two'", MEND),
    'train_dataloader.num_batch_per_epoch=0': Said(WHOLE, 'got 0', MEND),
    'val_dataloader.batch_size=x': Said(WHOLE, "got 'x'", MEND),
    'optim_wrapper.optimizer.lr=-0.1': Said('a finite number, at least 0', r'got -0\.1', MEND),
    'optim_wrapper.optimizer.lr=nan': Said('a finite number, at least 0', 'got nan', MEND),
    'optim_wrapper.optimizer.lr=inf': Said('a finite number, at least 0', 'got inf', MEND),
    'optim_wrapper.optimizer.lr=fast': Said('a finite number, at least 0', "got 'fast'", MEND),
    'optim_wrapper.optimizer.weight_decay=nan': Said('a finite number, at least 0', 'got nan', MEND),
    'optim_wrapper.accumulative_counts=0': Said(WHOLE, 'got 0', MEND),
    'optim_wrapper.clip_grad.max_norm=-1': Said('a number above 0', 'got -1', MEND),
    'param_scheduler.0.T_max=0': Said(r'param_scheduler\.0\.T_max must be a number above 0', 'got 0', MEND),
    'default_hooks.logger.interval=0': Said(WHOLE, 'got 0', MEND),
    'default_hooks.checkpoint.interval=x': Said('a whole number, -1 for never', "got 'x'", MEND),
    'randomness.seed=x': Said('a whole number from 0 to 4294967295', "got 'x'", MEND),
    'randomness.seed=-1': Said('a whole number from 0 to 4294967295', 'got -1', MEND),
    'env_cfg.num_threads=0': Said(WHOLE, 'got 0', MEND),
    'val_evaluator.0.many=x': Said('must be numbers of images', "got many='x'", 'many and few'),
    'val_evaluator.0.few=nan': Said('must be numbers of images', 'few=nan', 'many and few'),
    # Numbers and words where dicts must be.
    'model=7': Said('model must be a dict', 'got 7', MEND),
    'model.head=7': Said('a dict with a type', 'got 7', MEND),
    'train_dataloader.dataset=7': Said(r'train_dataloader\.dataset must be a dict', 'got 7', MEND),
    'train_dataloader.sampler=7': Said('must be a dict', 'got 7', MEND),
    'train_dataloader.sampler.type=7': Said('a dict with a type that is registered', "'type': 7", r'dict\(type=\.\.\.'),
    'val_evaluator=7': Said('a dict with a type, or a list', 'got 7', MEND),
    'custom_hooks=7': Said('a list of dicts with a type', 'got 7', MEND),
    'param_scheduler=7': Said('a dict with a type, or a list', 'got 7', MEND),
    'visualizer=7': Said('must be a dict', 'got 7', MEND),
    'env_cfg=7': Said('must be a dict', 'got 7', MEND),
    'default_scope=7': Said('the name of a package', 'got 7', MEND),
    'load_from=7': Said('the path or address of a checkpoint', 'got 7', MEND),
    'resume=7': Said('True or False', 'got 7', MEND),
    # Choices that there are not.
    'log_level=LOUD': Said('one of DEBUG, INFO', "got 'LOUD'", MEND),
    'env_cfg.mp_cfg.mp_start_method=x': Said("'fork', 'spawn' or 'forkserver'", "got 'x'", MEND),
    'optim_wrapper.optimizer.type=SDG': Said('a registered optimiser, such as SGD or AdamW', "got type='SDG'"),
    'default_hooks.checkpoint.save_best=acc': Said('many, medium, few, all', "save_best='acc'", 'Name one of these'),
    # Names of arguments.
    'train_cfg.max_epoch=3': Said('ResumableEpochLoop|EpochBasedTrainLoop', "keyword argument 'max_epoch'", KEEPS),
    'train_dataloader.batch_sizes=3': Said('DataLoader', "keyword argument 'batch_sizes'", KEEPS),
    'default_hooks.summary.figure=True': Said('SummaryHook', "keyword argument 'figure'", KEEPS),
    'optim_wrapper.clip_grad.max_normm=1': Said('clip_grad_norm_', "keyword argument 'max_normm'", KEEPS),
    # What shows where it is built, or at the first batch.
    'optim_wrapper.optimizer.momentum=-1': Said('SGD cannot be built with', 'momentum=-1', 'Mend these settings'),
    'model.head.num_classes=-1': Said('DRHead cannot be built with', 'num_classes=-1', 'Mend these settings'),
    'model.head.in_channels=x': Said('DRHead cannot be built with', "in_channels='x'", 'Mend these settings'),
    'model.data_preprocessor.mean=x': Said('ClsDataPreprocessor cannot be built', "mean='x'", 'Mend these settings'),
    'train_dataloader.dataset.dataset=7': Said('LongTailDataset cannot be built', 'dataset=7', 'Mend these settings'),
    'model.backbone.in_channels=3': Said('to have 3 channels', 'got 1 channels', 'Do in_channels .* fit the images'),
    'train_dataloader.num_batch_per_epoch=1000': Said('within the data set', '32000 images of 331', 'Lower it'),
}

TEXTS = {
    'syntax': ('model = dict(', Said(r'mine\.py cannot be read', 'SyntaxError.*line', 'Mend it')),
    'error': ('x = 1 / 0', Said(r'mine\.py cannot be read', 'ZeroDivisionError', 'Mend it')),
    'exit': ('import sys\nsys.exit(0)', Said(r'mine\.py cannot be read', 'SystemExit', 'Mend it')),
    'module': (
        "custom_imports = dict(imports=['no_such_module'], allow_failed_imports=False)",
        Said(r'mine\.py cannot be read: ImportError', 'no_such_module', 'Mend it'),
    ),
    'imports': ('custom_imports = 7', Said(r'mine\.py cannot be read', 'not int', 'Mend it')),
    'base': ("_base_ = 'no.py'", Said(r'mine\.py cannot be read', r'No such file.*no\.py', 'Mend it')),
    'loop': ("_base_ = ['mine.py']", Said(r'mine\.py cannot be read', 'RecursionError', '_base_ lead back to itself')),
    'bases': (
        "_base_ = ['one.py', 'two.py']",
        Said(r'mine\.py cannot be read', "Duplicate keys: {'key'}", 'Mend it'),
    ),
    'no validation': (
        'val_evaluator = None',
        Said(
            'val_dataloader, val_cfg, and val_evaluator should be', 'got no val_evaluator', 'Give it, or set all three'
        ),
    ),
    'no optimiser': (
        'optim_wrapper = None',
        Said('optim_wrapper should be either all', 'got no optim_wrapper', 'Give it, or set all three'),
    ),
    'no type': (
        'optim_wrapper = dict(optimizer=dict(_delete_=True, lr=0.1))',
        Said(r'optim_wrapper\.optimizer must be a dict with a type', "got {'lr': 0.1}", MEND),
    ),
    'loops': (
        'train_cfg = dict(_delete_=True, by_epoch=True, max_iters=3)',
        Said('EpochBasedTrainLoop', "keyword argument 'max_iters'", KEEPS),
    ),
    'contradiction': (
        "train_cfg = dict(type='mmdrl.ResumableIterLoop', by_epoch=True)",
        Said('contradict each other', r"type='mmdrl.ResumableIterLoop' and by_epoch=True", 'Leave by_epoch out'),
    ),
    'early stopping by nothing': (
        "custom_hooks = [dict(type='EarlyStoppingHook', monitor='accuracy')]",
        Said('many, medium, few, all', "monitor='accuracy'", 'Name one of these'),
    ),
    'early stopping by no rule': (
        "custom_hooks = [dict(type='EarlyStoppingHook', monitor='all', rule='most')]",
        Said('EarlyStoppingHook cannot be built', "rule='most'", 'Mend these settings'),
    ),
    'average': (
        "custom_hooks = [dict(type='EMAHook', momentum=7)]",
        Said('ExponentialMovingAverage cannot be built', 'momentum=7', 'Mend these settings'),
    ),
    'mixing': (
        "model = dict(head=dict(dr_loss=None), train_cfg=dict(augments=dict(type='Mixup', alpha=-1)))",
        Said('Mixup cannot be built with', 'alpha=-1', 'Mend these settings'),
    ),
    'Seesaw loss of mixed labels': (
        "model = dict(head=dict(dr_loss=None, loss=dict(_delete_=True, type='SeesawLoss')),\n"
        "    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8)]))",
        Said('SeesawLoss fails on mixed labels of 10 classes', r'got \[2, 10\]', 'Mend its settings'),
    ),
}


@pytest.mark.parametrize('option', OPTIONS)
def test_setting_that_cannot_be_is_refused_before_training(tmp_path: Path, option: str) -> None:
    write_config(tmp_path)
    refuse('train', [*TRAIN, '--cfg-options', option], OPTIONS[option], tmp_path)


@pytest.mark.parametrize('name', TEXTS)
def test_config_that_contradicts_itself_or_fails_is_refused(tmp_path: Path, name: str) -> None:
    text, said = TEXTS[name]
    for base in ('one', 'two'):
        (tmp_path / f'{base}.py').write_text('key = 1')
    if text.startswith('_base_'):
        (tmp_path / 'mine.py').write_text(text)
    else:
        write_config(tmp_path, text)
    refuse('train', TRAIN, said, tmp_path)


@pytest.mark.parametrize('option', ['train_cfg.max_epochs=three', 'optim_wrapper.optimizer.momentum=-1'])
def test_refusal_leaves_a_run_that_is_there_as_it_was(tmp_path: Path, option: str) -> None:
    write_config(tmp_path)
    folder = tmp_path / 'run'
    folder.mkdir()
    for name in ('epoch_7.pth', 'results.json', 'last_checkpoint'):
        (folder / name).write_text(name)
    before = files_below(tmp_path)
    status, _ = command('train', *TRAIN, '--cfg-options', option, cwd=tmp_path)
    assert status == 1
    after = files_below(tmp_path)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize('option', ['train_cfg.val_interval=0', 'model.head.num_classes=-1'])
def test_dry_run_says_the_same(tmp_path: Path, option: str) -> None:
    write_config(tmp_path)
    refuse('analysis/describe', ['mine.py', '--cfg-options', option], OPTIONS[option], tmp_path)


@pytest.mark.parametrize(
    ('text', 'option'),
    [("train_cfg = dict(max_epochs='three')", 'train_cfg.max_epochs=3'), ('custom_hooks = 7', 'custom_hooks=[]')],
)
def test_option_mends_what_the_config_has_wrong(tmp_path: Path, text: str, option: str) -> None:
    """As the sentence says that refuses the config alone."""
    path = str(write_config(tmp_path, text))
    with pytest.raises(ConfigError, match='or give --cfg-options'):
        load_config(path)
    load_config(path, [option])
