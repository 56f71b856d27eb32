"""Progress bars of one look, at the bottom of the terminal; where there is no terminal, nothing.

All bars of a process share one screen: a pass inside an epoch draws its bar below the epoch's. What is printed
meanwhile appears above them. The cursor stays visible, so that a run that is killed leaves the terminal as it was.
"""

import atexit
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence, Sized
from functools import cache
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

Entry = TypeVar('Entry')


class _Amount(ProgressColumn):
    """How much is done: a number of things, or size and speed of a file."""

    def __init__(self) -> None:
        super().__init__()
        self._number, self._size, self._speed = MofNCompleteColumn(), DownloadColumn(), TransferSpeedColumn()

    def render(self, task: Task) -> Text:
        """Text for the bar of a task."""
        if not task.fields['is_file']:
            return self._number.render(task)
        return Text.assemble(self._size.render(task), ' ', self._speed.render(task))


class Screen:
    """Where the bars of a process are drawn.

    Args:
        console: The terminal. Not given: standard output.

    Attributes:
        console: The terminal.
        is_drawn: Whether there will be bars: on a terminal that can move its cursor, in the first process.
    """

    def __init__(self, console: Console | None = None):
        # rich takes a pipe for a terminal if FORCE_COLOR is set.
        is_terminal = console.is_terminal if console else sys.stdout.isatty()
        self.console = console or Console(highlight=False)
        self.is_drawn = is_terminal and not self.console.is_dumb_terminal and os.environ.get('RANK', '0') == '0'
        self._progress: Progress | None = None
        atexit.register(self.close)

    def begin(self, title: str, total: int | None, done: int = 0, is_file: bool = False) -> TaskID | None:
        """Draw a bar.

        Args:
            title: Written before it.
            total: Things there are; ``None`` if that is not known.
            done: Things that are done.
            is_file: Whether the things are bytes.

        Returns:
            What the other methods know the bar by; ``None`` if nothing is drawn.
        """
        if not self.is_drawn:
            return None
        if self._progress is None:
            columns = (
                BarColumn(bar_width=min(24, self.console.width // 4)),
                _Amount(),
                TimeRemainingColumn(),
                TextColumn('{task.fields[note]}'),
            )
            self._progress = Progress(
                TextColumn('{task.description}'), *columns, console=self.console, transient=True, refresh_per_second=5
            )
            self._progress.start()
            self.console.show_cursor(True)
        return self._progress.add_task(escape(title), total=total, completed=done, is_file=is_file, note='')

    def move(
        self, bar: TaskID | None, to: int | None = None, total: int | None = None, note: str | None = None
    ) -> None:
        """Move a bar on, by one if it is not said where to.

        Args:
            bar: What :meth:`begin` gave.
            to: Things that are done.
            total: Things there are, if that has become known.
            note: Written behind it from now on.
        """
        if self._progress is None or bar is None:
            return
        if note is not None:
            self._progress.update(bar, note=escape(note))
        self._progress.update(bar, advance=1 if to is None else None, completed=to, total=total)

    def end(self, bar: TaskID | None) -> None:
        """Take a bar away, and the screen with the last one."""
        if self._progress is None or bar is None:
            return
        if len(self._progress.tasks) > 1:
            self._progress.remove_task(bar)
        else:
            self.close()

    def close(self) -> None:
        """Take all bars away."""
        if self._progress is not None:
            progress, self._progress = self._progress, None
            progress.stop()

    def write(self, text: str) -> None:
        """Write whole lines as they are, above the bars if there are any: rich alone would break long ones."""
        if self._progress is None:
            self.console.file.write(text)
        else:
            self.console.print(Text.from_ansi(text.removesuffix('\n')), soft_wrap=True)


@cache
def screen() -> Screen:
    """The screen of this process on standard output."""
    return Screen()


def with_bar(things: Iterable[Entry], title: str, total: int | None = None) -> Iterator[Entry]:
    """The things one by one, with a bar while they are taken.

    Args:
        things: Such as the batches of a loader.
        title: Written before the bar.
        total: Things there are; not given, the length of ``things`` if it has one.
    """
    if total is None and isinstance(things, Sized):
        total = len(things)
    bar = screen().begin(title, total)
    try:
        for thing in things:
            yield thing
            screen().move(bar)
    finally:
        screen().end(bar)


def in_lines(parts: Sequence[str], width: int | None = None) -> str:
    """The parts beside each other; what does not fit into so many letters goes below, what is longer stays whole."""
    if width is None:
        return '  '.join(parts)
    # A no-break space keeps a name and its number together.
    return folded('  '.join(part.replace(' ', '\xa0') for part in parts), width).replace('\xa0', ' ')


def folded(text: str, width: int) -> str:
    """The text with its long lines broken between words, indented from the second on; paths stay whole."""
    wrapper = textwrap.TextWrapper(width, subsequent_indent='    ', break_long_words=False, break_on_hyphens=False)
    lines = text.split('\n')
    return '\n'.join(wrapper.fill(line) if len(line) > width else line for line in lines)


def result_console() -> Console:
    """Where tables are printed: as wide as the terminal; piped, as wide as they need to be."""
    return Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)
