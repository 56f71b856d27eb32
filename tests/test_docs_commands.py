"""The commands on the pages: their programs, targets, configs and options exist."""

from pathlib import Path

import pytest
from pages import PAGES, ROOT, name_of
from shell_lines import commands, mistakes

WITH_COMMANDS = [page for page in PAGES if commands(page.read_text(encoding='utf-8'))]


@pytest.mark.parametrize('page', WITH_COMMANDS, ids=name_of)
def test_every_word_of_a_command_exists(page: Path) -> None:
    folder = page.parent if 'examples' in page.parts else ROOT
    found = {command: mistakes(command, folder) for command in commands(page.read_text(encoding='utf-8'))}
    assert {command: wrong for command, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ('command', 'wrong'),
    [
        ('make tests', 'no target tests'),
        ('python tools/trane.py', 'no program tools/trane.py'),
        ('python tools/train.py configs/drl_r8_digits-lt.py --gpu 0', 'no option --gpu'),
        ('python tools/train.py configs/drl_r9_digits-lt.py', 'no config configs/drl_r9_digits-lt.py'),
        ('mim run mmdrl describes CONFIG', 'no tool describes'),
        ('mim run mmdrl describe CONFIG --jsn plan.json', 'no option --jsn'),
        ('mim train mmdrl drl_r8_digits-lt.py --no-validat', 'no option --no-validat'),
        ('mim test mmdrl drl_r7_digits-lt.py --checkpoint FILE', 'no config drl_r7_digits-lt.py'),
        ('mim download mmdrl --conf x', 'no option --conf'),
    ],
)
def test_mistyped_word_is_found(command: str, wrong: str) -> None:
    assert mistakes(command) == [wrong]


@pytest.mark.parametrize(
    'command',
    [
        'mim train mmdrl my_config.py --gpus 0 --resume  # comment',
        'mim run mmdrl describe drl_r8_digits-lt.py --json plan.json | head',
        'python read.py --whatever',
        'make test SUITE=fast',
    ],
)
def test_right_command_passes(command: str) -> None:
    assert mistakes(command) == []
