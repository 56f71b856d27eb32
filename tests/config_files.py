"""The configs of the package, each read once, and what tells two of them apart."""

import ast
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

ROOT = Path(__file__).parents[1] / 'configs'
CONFIGS = sorted(path for path in ROOT.rglob('*.py') if '_base_' not in path.parts)
ROWS = [path for path in CONFIGS if path.parent != ROOT]  # without the aliases at the top

_fromfile = cache(Config.fromfile)


def method_of(path: Path) -> str:
    return path.stem.split('_')[0]


def named(method: str, path: Path) -> Path:
    """The config of another method for the same model and data set."""
    return path.with_name('_'.join([method, *path.name.split('_')[1:]]))


def config(path: Path) -> Config:
    """A copy, so that a test may change it."""
    return deepcopy(_fromfile(path))


def bases(path: Path) -> list[str]:
    """What the file names as ``_base_``, found without running it."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == '_base_':
            found = ast.literal_eval(statement.value)
            return [found] if isinstance(found, str) else list(found)
    return []


def differences(one: Any, other: Any, name: str = '') -> set[str]:
    """Dotted names of what two configs do not share; a part that only one of them has counts as one."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = one.keys() | other.keys()
        return {
            found
            for key in keys
            for found in (
                differences(one[key], other[key], f'{name}.{key}')
                if key in one and key in other
                else {f'{name}.{key}'.lstrip('.')}
            )
        }
    return set() if one == other else {name.lstrip('.')}


def between(path: Path, other: Path) -> set[str]:
    """What two config files do not share, the names of their parts aside."""
    return differences(config(path).to_dict(), config(other).to_dict())
