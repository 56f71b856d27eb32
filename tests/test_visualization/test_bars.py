"""Bars: drawn on a terminal, wiped when they are done, and nowhere else to be seen."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console
from terminal import in_terminal, shown

from mmdrl.visualization.bars import Screen, result_console

LONG = 'a line of the log ' + 'that is longer than the terminal ' * 5


@pytest.fixture(autouse=True)
def capable_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.delenv('RANK', raising=False)


def on_terminal(width: int = 80) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(Console(file=out, force_terminal=True, width=width, color_system=None)), out


def test_nested_bars_share_the_screen_and_nothing_of_them_stays() -> None:
    screen, out = on_terminal()
    outer = screen.begin('epoch 1', 10)
    inner = screen.begin('centroids', 3)
    screen.move(inner)
    screen.end(inner)
    screen.move(outer, note='loss 1.0')
    screen.end(outer)
    assert 'epoch 1' in out.getvalue()
    assert 'centroids' in out.getvalue()
    lines, has_cursor = shown(out.getvalue(), 80)
    assert not any(lines)
    assert has_cursor


def test_cursor_is_there_while_a_bar_is_drawn() -> None:
    screen, out = on_terminal()
    screen.begin('epoch 1', 10)
    assert shown(out.getvalue(), 80)[1]
    screen.close()


def test_lines_of_the_log_stay_whole_above_a_bar() -> None:
    screen, out = on_terminal(40)
    bar = screen.begin('epoch 1', 10)
    screen.write(f'{LONG}\n')
    screen.end(bar)
    screen.write('after\n')
    lines, _ = shown(out.getvalue(), 40)
    assert ''.join(f'{line:<40}' for line in lines).split() == [*LONG.split(), 'after']
    assert f'{LONG}\n' in out.getvalue()  # what is copied from the terminal has no breaks


def test_brackets_are_shown_as_they_are() -> None:
    screen, out = on_terminal()
    bar = screen.begin('[red]a[/]', 2)
    screen.move(bar, note='[/] b')
    screen.end(bar)
    assert '[red]a[/]' in out.getvalue()


def test_file_shows_size_speed_and_time_left() -> None:
    screen, out = on_terminal()
    bar = screen.begin('a.tar', None, is_file=True)
    screen.move(bar, to=1_500_000, total=3_000_000)
    screen._progress.refresh()  # type: ignore[union-attr]
    screen.end(bar)
    assert '1.5/3.0 MB' in out.getvalue()


@pytest.mark.parametrize('variables', [dict(TERM='dumb'), dict(RANK='1')])
def test_dumb_terminals_and_other_processes_have_no_bars(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    screen, out = on_terminal()
    bar = screen.begin('epoch 1', 10)
    screen.move(bar)
    screen.end(bar)
    assert out.getvalue() == ''


@pytest.mark.parametrize('colour', ['FORCE_COLOR', 'CLICOLOR_FORCE'])
def test_pipe_has_no_bars_even_if_colours_are_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], colour: str
) -> None:
    monkeypatch.setenv(colour, '1')
    screen = Screen()
    screen.end(screen.begin('epoch 1', 10))
    assert capsys.readouterr().out == ''


def test_table_in_a_pipe_is_as_wide_as_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    result_console().print('x' * 300)
    assert capsys.readouterr().out == 'x' * 300 + '\n'


PASS = """
import sys
from mmdrl.visualization.bars import screen, with_bar
for number in with_bar(range(3), 'pass'):
    screen().write(f'number {number}\\n')
    if sys.argv[1] == 'kill' and number == 1:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
print('done')
"""


@pytest.mark.parametrize(('how', 'status', 'last'), [('end', 0, 'done'), ('kill', -9, 'number 1')])
def test_pass_in_a_real_terminal_leaves_its_lines_and_the_cursor(
    tmp_path: Path, how: str, status: int, last: str
) -> None:
    seen = in_terminal(sys.executable, '-W', 'ignore', '-c', PASS, how, cwd=tmp_path, columns=60)
    assert 'pass' in seen.raw
    assert seen.status == status
    assert seen.has_cursor
    written = [line for line in seen.lines if line and not line.startswith('pass')]
    assert written[:2] == ['number 0', 'number 1']
    assert written[-1] == last
    assert how == 'kill' or 'pass' not in ''.join(seen.lines)
