"""The best weights of a stage: what else is told, their file, resuming, and the averaged model."""

from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import ROOT, short_config, train
from mmengine.hooks import Hook

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.config import load_config
from mmdrl.engine.run import evaluate, train_model
from mmdrl.errors import ConfigError

CHANGES: dict[str, Any] = {
    'train_cfg.val_interval': 1,
    'default_hooks.checkpoint.max_keep_ckpts': 9,
    'test_cfg': None,
    'test_dataloader': None,
    'test_evaluator': None,
}


def best_from(folder: Path) -> dict[str, Any]:
    content = read_checkpoint(str(folder / 'best_of_one.pth'))
    assert content is not None
    return content['meta']


def plan(choice: Any) -> list[dict[str, Any]]:
    return [dict(name='one', epochs=2), dict(name='two', epochs=1, lr=0.01, load_best=choice)]


def test_another_metric_on_resuming_forgets_what_the_one_before_chose(tmp_path: Path) -> None:
    """The score of the first epoch is made one that no accuracy is below."""
    train(short_config(tmp_path / 'run', plan('all'), **CHANGES))
    path = str(tmp_path / 'run/epoch_2.pth')
    content = read_checkpoint(path)
    assert content is not None
    content['stages']['best']['one']['score'] = -1.0
    torch.save(content, path)
    other = short_config(tmp_path / 'run', plan(dict(metric='ncm/few', rule='less')), **CHANGES, resume=True)
    other.load_from = path
    train(other)
    assert best_from(tmp_path / 'run')['metric'] == 'ncm/few'


def test_stages_of_similar_names_have_files_of_their_own(tmp_path: Path) -> None:
    names = ['a/b', 'a b', 'c']
    stages = [dict(name=name, epochs=1, **dict(load_best='all') if name != 'a/b' else {}) for name in names]
    train(short_config(tmp_path / 'run', stages, **CHANGES))
    files = [read_checkpoint(str(path)) for path in (tmp_path / 'run').glob('best_of_*.pth')]
    assert sorted(file['meta']['stage'] for file in files if file) == ['a b', 'a/b']


def test_best_weights_of_a_replaced_head_are_tested_with_that_head(tmp_path: Path) -> None:
    head = dict(classifier=dict(type='mmdrl.LWSClassifier'))
    stages = [
        dict(name='zero', epochs=1),
        dict(name='one', epochs=1, head=head, lr=0.05),
        dict(name='two', epochs=1, load_best='all'),
    ]
    cfg = short_config(tmp_path / 'run', stages, **CHANGES)
    train_model(cfg)
    direct = load_config(str(ROOT / 'configs/drl_r8_digits-lt.py'), work_dir=str(tmp_path / 'direct'))
    direct.default_hooks.stages.stages = stages
    metrics = evaluate(direct, str(tmp_path / 'run/best_of_one.pth'))
    assert metrics['all'] == pytest.approx(best_from(tmp_path / 'run')['score'])


def test_checkpoint_of_stages_is_not_resumed_without_them(tmp_path: Path) -> None:
    train_model(short_config(tmp_path / 'run', plan('all'), **CHANGES))
    cfg = short_config(tmp_path / 'run', plan('all'), **CHANGES)
    del cfg.default_hooks['stages']
    with pytest.raises(ConfigError, match=r'epoch_1.*trained in stages.*no mmdrl.TwoStageHook'):
        train_model(cfg, resume=str(tmp_path / 'run/epoch_1.pth'))


def test_averaging_begins_anew_with_the_best_weights_and_with_what_was_reset(tmp_path: Path) -> None:
    class Averages(Hook):
        priority = 'LOWEST'
        equal: dict[int, list[bool]] = {}

        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if batch_idx == 0:
                averaged = next(hook.ema_model.module for hook in runner.hooks if type(hook).__name__ == 'EMAHook')
                pairs = [(model.backbone.conv1.weight, model.head.fc.weight) for model in (averaged, runner.model)]
                self.equal[runner.epoch] = [torch.equal(*pair) for pair in zip(*pairs, strict=True)]

    stages = [*plan('all'), dict(name='three', epochs=1, reset=['head.fc']), dict(name='four', epochs=1)]
    train(short_config(tmp_path / 'run', stages, **CHANGES, custom_hooks=[dict(type='EMAHook')]), Averages())
    # Of the backbone and of the classifier, at the beginning of each epoch.
    expected = {0: [True, True], 1: [False, False], 2: [True, True], 3: [False, True], 4: [False, False]}
    assert {epoch: equal for epoch, equal in Averages.equal.items() if epoch} == {k: expected[k] for k in (1, 2, 3, 4)}


def test_run_that_stops_before_its_last_stage_says_so(tmp_path: Path) -> None:
    class Stop(Hook):
        def after_train_epoch(self, runner: Any) -> None:
            runner.train_loop.stop_training = True

    runner = train(short_config(tmp_path / 'run', plan('all'), **CHANGES), Stop())
    text = Path(runner.log_dir, f'{runner.timestamp}.log').read_text()
    assert "stopped in stage 1 of 2, 'one'" in text
