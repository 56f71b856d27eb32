"""Plans of configs, and their page as text."""

from io import StringIO
from pathlib import Path
from typing import Any

from command import ROOT
from digits_run import short_config
from rich.console import Console

from mmdrl.engine.config import load_config
from mmdrl.engine.describe import describe_run
from mmdrl.visualization import plan_table

DIGITS = 'configs/digits_lt/drl_r8_digits-lt-ir50.py'
RELEASED = 'configs/cifar100_lt/drl-released_r32_cifar100-lt-ir100.py'


def described(path: str = DIGITS, *options: str, processes: int = 1) -> dict[str, Any]:
    """The plan of a config below the root of the project."""
    return describe_run(load_config(str(ROOT / path), list(options)), processes)


def printed(plan: dict[str, Any], title: str, width: int) -> str:
    """Its page in lines of so many letters."""
    page = StringIO()
    Console(file=page, width=width, highlight=False).print(plan_table(plan, title, width))
    return page.getvalue()


def with_stages(*stages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The plan of the digits run with other stages."""
    return describe_run(short_config(Path('nowhere'), list(stages), **changes))
