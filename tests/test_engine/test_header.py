"""The header, and what a model is said to predict with."""

from pathlib import Path

import pytest
from digits_run import short_config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmdrl.engine.build import build_runner, start
from mmdrl.engine.classifier_name import classifier_name
from mmdrl.engine.header import header_rows, header_text
from mmdrl.engine.way_back import way_back
from mmdrl.models import CosineClassifier, LWSClassifier, TauNormClassifier


class Look(Hook):
    """Keeps what there is to say before and after an iteration, and ends the run."""

    priority = 'LOWEST'
    rows: dict[str, str]
    way: str

    def before_run(self, runner: Runner) -> None:
        self.rows = header_rows(runner)

    def after_train_iter(self, runner: Runner, *_: object, **__: object) -> None:
        self.way = way_back(runner)
        raise KeyboardInterrupt


def look(work_dir: Path, **changes: object) -> Look:
    runner = build_runner(short_config(work_dir, **changes))
    runner.register_hook(hook := Look())
    with pytest.raises(KeyboardInterrupt):
        start(runner.train, runner)
    return hook


def test_header_tells_classes_stages_and_folder(tmp_path: Path) -> None:
    hook = look(tmp_path / 'run')
    assert hook.rows['training set'] == (
        '331 images of 10 classes, 120 to 2 each; 2 many, 3 medium, 5 few-shot '
        '(many-shot above 60 training images, few-shot below 20)'
    )
    assert hook.rows['validation set'] == '500 images'
    assert hook.rows['stages'] == 'warm-up 2 epochs, feature 2 epochs, classifier 1 epoch'
    assert (hook.rows['devices'], hook.rows['seed']) == ('cpu', '0')
    assert Path(hook.rows['log']).is_file()
    assert hook.way == "It was in epoch 1 of 5 (stage 'warm-up'), before its first checkpoint."


def test_header_of_a_run_by_iterations(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run')
    cfg.train_cfg = dict(type='mmdrl.ResumableIterLoop', max_iters=1200)
    cfg.param_scheduler = None
    del cfg.default_hooks['stages']
    cfg.default_hooks.checkpoint.by_epoch = False
    runner = build_runner(cfg)
    runner.register_hook(hook := Look())
    with pytest.raises(KeyboardInterrupt):
        start(runner.train, runner)
    assert hook.rows['length'] == '1,200 iterations'
    assert hook.way.startswith('It was in iteration 1 of 1200; the last checkpoint is iter_1.pth. Go on with: ')


def test_header_of_a_narrow_terminal_keeps_its_columns() -> None:
    lines = header_text(
        {
            'config': 'a',
            'log': 'a/long path/20261121_134606/20261121_134606.log',
            'training set': 'one two three four five six seven',
        },
        36,
    ).plain.splitlines()
    assert lines == [
        'config        a',
        'log           a/long path/20261121_134606/20261121_134606.log',
        'training set  one two three four',
        '              five six seven',
    ]


@pytest.mark.parametrize(
    ('kind', 'name'),
    [(nn.Linear, 'linear'), (CosineClassifier, 'cosine'), (LWSClassifier, 'LWS'), (TauNormClassifier, 'tau-norm')],
)
def test_classifier_is_called_by_what_it_is(kind: type[nn.Module], name: str) -> None:
    model = nn.Module()
    model.head = nn.Module()
    model.head.fc = kind(3, 2)  # type: ignore[call-arg]
    assert classifier_name(model) == name
    model.head.logit_adjustment = 1.5
    assert classifier_name(model) == f'{name}, adjusted 1.5'
    model.head.logit_adjustment, model.head.predict_with = 0.0, 'ncm'
    assert classifier_name(model) == 'predicts by ncm'
    assert classifier_name(model, dict(rule='tau-norm', strength=0.8)) == 'rebalanced: tau-norm 0.8'
    assert classifier_name(model, dict(rule='ncm-cosine', strength=None)) == 'rebalanced: ncm-cosine'


def test_model_without_a_head_is_called_linear() -> None:
    assert classifier_name(nn.Linear(2, 2)) == 'linear'
