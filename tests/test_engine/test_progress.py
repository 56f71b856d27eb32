"""The bar: what it shows on a terminal, and silence elsewhere."""

import io
from pathlib import Path

import pytest
from digits_run import short_config, train
from rich.console import Console

from mmdrl.engine import ProgressHook


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
        assert f'epoch   {epoch}/5  {stage}' in text
    assert 'loss_cls' in text
    assert 'loss_dr' in text
    assert text.rfind('\x1b[?25h') > text.rfind('\x1b[?25l')  # the cursor is back


def test_brackets_in_the_name_of_a_stage_are_shown_as_they_are(tmp_path: Path) -> None:
    out = io.StringIO()
    stages = [dict(name='[/] 50% [red]', epochs=1), dict(name='b', epochs=1)]
    console = Console(file=out, force_terminal=True, width=160, color_system=None)
    train(short_config(tmp_path / 'run', stages), ProgressHook(console=console))
    assert 'epoch   1/2  [/] 50% [red]' in out.getvalue()
