"""Commands on pages, and whether the programs, targets, configs and options in them exist."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

from mmdrl.shipped import find_config

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r'^```(?:sh|shell|bash|console)?\n(.*?)^```', re.MULTILINE | re.DOTALL)
STARTS = ('mim ', 'python ', 'make ', 'sbatch ')
ENDS = {'|', '>', '&&', '||', ';', '&'}
# Subcommands of mim whose further words go to a tool of ours.
TOOLS = {'train': 'tools/train.py', 'test': 'tools/test.py', 'gridsearch': 'tools/train.py'}
OPTION = re.compile(r'(?<![\w-])--?[a-zA-Z][\w-]*')
PLACEHOLDER = re.compile(r'[A-Z_]+|.*\.\.\..*|my_.*|mine.*|path/.*')


def commands(text: str) -> list[str]:
    """Lines of a page's blocks that are commands, continued lines joined."""
    lines = (line for block in BLOCK.findall(text) for line in block.replace('\\\n', ' ').splitlines())
    return [line for line in (line.strip().removeprefix('$ ') for line in lines) if line.startswith(STARTS)]


def mistakes(command: str, folder: Path = ROOT) -> list[str]:
    """What in a command, typed in ``folder``, does not exist."""
    words = shlex.split(command, comments=True)
    words = words[: next((i for i, word in enumerate(words) if word in ENDS), len(words))]
    if words[0] == 'make':
        targets = [word for word in words[1:] if '=' not in word and not word.startswith('-')]
        return [f'no target {target}' for target in targets if target not in make_targets()]
    if words[0] == 'python':
        return of_program(words[1], words[2:], folder) if words[1:2] and words[1].endswith('.py') else []
    if words[0] == 'mim':
        return of_mim(words[1:], folder)
    return []


def of_program(program: str, words: list[str], folder: Path) -> list[str]:
    """Of a script of the project; a reader's own are not looked at."""
    path = ROOT / program
    if not path.exists():
        return [f'no program {program}'] if program.startswith(('tools/', 'benchmarks/', 'examples/')) else []
    return unknown_options(words, options(path)) + unknown_configs(words, folder)


def of_mim(words: list[str], folder: Path) -> list[str]:
    """Of ``mim``."""
    if words[0] == 'run' and words[1:2] == ['mmdrl']:
        found = [path for path in (ROOT / 'tools').rglob(f'{words[2]}.py') if 'dev' not in path.parts]
        if not found:
            return [f'no tool {words[2]}']
        rest = [word for word in words[3:] if word != '--']
        return unknown_options(rest, options(found[0])) + unknown_configs(rest, folder)
    known = mim_options(words[0])
    if words[0] in TOOLS and words[1:2] == ['mmdrl']:
        known = known | options(ROOT / TOOLS[words[0]])
        return unknown_options(words[2:], known) + unknown_configs(words[2:3], folder)
    return unknown_options(words[1:], known)


def unknown_options(words: list[str], known: set[str]) -> list[str]:
    """Words that look like options and are none."""
    names = [word.partition('=')[0] for word in words]
    return [f'no option {name}' for name in names if re.fullmatch(OPTION, name) and name not in known]


def unknown_configs(words: list[str], folder: Path) -> list[str]:
    """Configs of ours that are not there; those of a reader have names of their own."""
    return [
        f'no config {word}'
        for word in words
        if word.endswith('.py')
        and not PLACEHOLDER.fullmatch(word)
        and re.search(r'(^|/)(configs/|\w+_r\d+_|\w+_x50_)', word)
        and not is_config(word, folder)
    ]


def is_config(name: str, folder: Path) -> bool:
    """Whether there is such a config, by name or seen from a folder."""
    try:
        return (folder / name).exists() or find_config(name).exists()
    except ValueError:
        return False


@cache
def options(program: Path) -> set[str]:
    """Options that ``-h`` of a program names."""
    answer = subprocess.run([sys.executable, '-W', 'ignore', program, '-h'], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return set(OPTION.findall(answer.stdout))


@cache
def mim_options(name: str) -> set[str]:
    """Options of a subcommand of mim."""
    from mim.cli import cli

    command = cli.commands.get(name) or cli.get_command(None, name)
    assert command is not None, f'mim has no command {name}'
    return {option for part in command.params for option in (*part.opts, *part.secondary_opts)} | {'-h', '--help'}


@cache
def make_targets() -> set[str]:
    """Targets of the Makefile."""
    text = (ROOT / 'Makefile').read_text()
    return set(re.search(r'^\.PHONY: (.*)$', text, re.MULTILINE)[1].split())
