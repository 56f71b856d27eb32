"""The bar: what it shows on a terminal, and silence elsewhere."""

import io
from pathlib import Path

import pytest
import torch
from digits_run import short_config, train
from rich.console import Console

from mmdrl.engine import ProgressHook
from mmdrl.engine.progress_lines import training_note
from mmdrl.visualization.bars import folded, in_lines


@pytest.mark.parametrize('is_terminal', [True, False])
def test_bar_names_stage_epoch_and_losses_on_a_terminal_only(tmp_path: Path, is_terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=160, color_system=None)
    train(short_config(tmp_path / 'run'), ProgressHook(interval=1, console=console))
    text = out.getvalue()
    if not is_terminal:
        assert text == ''
        return
    for stage, epoch in (('warm-up', 1), ('feature', 3), ('classifier', 5)):
        assert f'epoch {epoch}/5  {stage}' in text
    assert 'loss_cls' in text
    assert 'loss_dr' in text
    assert text.rfind('\x1b[?25h') > text.rfind('\x1b[?25l')  # the cursor is back


def test_brackets_in_the_name_of_a_stage_are_shown_as_they_are(tmp_path: Path) -> None:
    out = io.StringIO()
    stages = [dict(name='[/] 50% [red]', epochs=1), dict(name='b', epochs=1)]
    console = Console(file=out, force_terminal=True, width=160, color_system=None)
    train(short_config(tmp_path / 'run', stages), ProgressHook(console=console))
    assert 'epoch 1/2  [/] 50% [red]' in out.getvalue()


def test_narrow_terminal_keeps_the_bar_and_leaves_out_the_losses() -> None:
    losses = {'loss': torch.tensor(1.5), 'loss_cls': torch.tensor(1.0), 'loss_dr': torch.tensor(0.5)}
    assert training_note(losses, 200) == 'loss 1.500  loss_cls 1.000  loss_dr 0.500'
    assert training_note(losses, 80) == 'loss 1.500'
    assert training_note(losses, 40) == ''


def test_loss_of_one_part_is_told_once() -> None:
    assert training_note({'loss': torch.tensor(1.5), 'loss_cls': torch.tensor(1.5)}, 200) == 'loss 1.500'


def test_lines_break_between_numbers_and_leave_paths_whole() -> None:
    assert in_lines(['epoch 1/50', 'lr 0.1', 'loss 1.095'], 20) == 'epoch 1/50  lr 0.1\n    loss 1.095'
    assert in_lines(['epoch 1/50', 'lr 0.1', 'loss 1.095']) == 'epoch 1/50  lr 0.1  loss 1.095'
    path = '/a/very-long/path to/results.json'
    assert folded(f'Written: {path}', 12).split() == ['Written:', *path.split()]
    assert folded('short\n  as it is', 12) == 'short\n  as it is'
