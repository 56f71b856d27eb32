"""A terminal for tests: runs a command in a pseudo-terminal and tells what a person would see."""

import fcntl
import os
import pty
import re
import signal
import struct
import termios
from dataclasses import dataclass
from pathlib import Path

_PIECE = re.compile(r'\x1b\[(\??[\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)', re.DOTALL)


@dataclass(frozen=True)
class Seen:
    """What a terminal has shown.

    Attributes:
        raw: All that was written, with control sequences.
        lines: What is left on the screen and above it at the end, without colours.
        has_cursor: Whether the cursor is visible at the end.
        status: Exit status of the command.
    """

    raw: str
    lines: list[str]
    has_cursor: bool
    status: int


def in_terminal(*command: object, cwd: Path, columns: int = 80, interrupt_at: str = '', **environment: str) -> Seen:
    """Run a command in a terminal of so many columns.

    Args:
        *command: Program and arguments.
        cwd: Folder to run it in.
        columns: Of the terminal.
        interrupt_at: Ctrl-C is pressed once this text appears.
        **environment: Further variables.
    """
    variables = {'OMP_NUM_THREADS': '1', **os.environ, 'TERM': 'xterm-256color', **environment}
    variables = {name: value for name, value in variables.items() if name not in ('COLUMNS', 'LINES', 'FORCE_COLOR')}
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 50, columns, 0, 0))
        os.chdir(cwd)
        words = [str(word) for word in command]
        os.execvpe(words[0], words, variables)
    written, is_interrupted = b'', not interrupt_at
    while True:
        try:
            written += (block := os.read(terminal, 1 << 16))
        except OSError:
            break  # how Linux says that nobody writes any more
        if not block:
            break
        if not is_interrupted and interrupt_at.encode() in written:
            is_interrupted = True
            os.write(terminal, b'\x03')
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    raw = written.decode(errors='replace')
    lines, has_cursor = shown(raw, columns)
    return Seen(raw, lines, has_cursor, status)


def shown(raw: str, columns: int) -> tuple[list[str], bool]:
    """Lines that remain, and whether the cursor is visible, after the control sequences that rich and termcolor use."""
    rows: dict[int, list[str]] = {0: []}
    row = column = 0
    has_cursor = True
    for arguments, letter, end, text in _PIECE.findall(raw):
        if letter == 'A':
            row = max(row - int(arguments or 1), 0)
        elif letter == 'K':
            assert arguments == '2', arguments
            rows[row] = []
        elif letter in ('h', 'l'):
            assert arguments == '?25', arguments
            has_cursor = letter == 'h'
        elif end == '\r':
            column = 0
        elif end == '\n':
            row, column = row + 1, 0
        elif letter:
            assert letter == 'm', (arguments, letter)
        for sign in text:
            if column == columns:
                row, column = row + 1, 0
            cells = rows.setdefault(row, [])
            cells.extend(' ' * (column + 1 - len(cells)))
            cells[column] = sign
            column += 1
    return [''.join(rows.get(number, [])).rstrip() for number in range(max(rows) + 1)], has_cursor
