"""Configs as a run dumps them, read without running them.

A config that is written by hand is a program. What MMEngine dumps is one of a single kind: names that are given
numbers, text, lists and dicts. A run folder may come from elsewhere, and a look at it must not run anything.
"""

import ast
import math
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdrl.errors import ConfigError

_NUMBERS = {'inf': math.inf, 'nan': math.nan}  # as Python writes them


def read_dumped(path: Path) -> Config:
    """The config in a file that MMEngine has dumped; nothing in it is run.

    Raises:
        ConfigError: If it holds more than values.
    """
    try:
        return Config(dumped_values(path.read_text(encoding='utf-8'), str(path)), filename=str(path))
    except (KeyError, OSError, UnicodeError) as error:  # KeyError: a name that MMEngine keeps for itself
        raise ConfigError(f'The dumped config {path} cannot be read: {type(error).__name__}: {error}') from error


def dumped_values(text: str, where: str) -> dict[str, Any]:
    """Settings by name in the text of a dumped config.

    Args:
        text: Of the config.
        where: What holds it, for the message.

    Raises:
        ConfigError: If it holds more than values.
    """
    settings = {}
    try:
        for line in ast.parse(text).body:
            if not isinstance(line, ast.Assign) or len(line.targets) != 1 or not isinstance(line.targets[0], ast.Name):
                raise _NoValue(line)
            name = line.targets[0].id
            if name == '_base_':  # reading it would run another file
                raise _NoValue(line)
            settings[name] = _value(line.value)
    except _NoValue as found:
        raise ConfigError(
            f'Expected a config as MMEngine dumps it in {where}, numbers, text, lists and dicts by name, got code in '
            f'line {found.line}: {found.code!r:.60}. It is not run.'
        ) from None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ConfigError(
            f'Expected a config as MMEngine dumps it in {where}, got {type(error).__name__}: {error}'
        ) from (error)
    return settings


class _NoValue(Exception):
    def __init__(self, node: ast.stmt | ast.expr):
        super().__init__()
        self.line, self.code = node.lineno, ast.unparse(node)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in _NUMBERS:
            return _NUMBERS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = _value(operand)
            if isinstance(number, (int, float)):
                return -number
        case ast.List(elts=parts):
            return [_value(part) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(_value(part) for part in parts)
        case ast.Set(elts=parts):
            return {_value(part) for part in parts}
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_value(key): _value(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=parts) if all(part.arg for part in parts):
            return {str(part.arg): _value(part.value) for part in parts}
        case ast.Call(func=ast.Name(id='dict'), args=[ast.Dict() as content], keywords=[]):
            return _value(content)
        case ast.Call(func=ast.Name(id='set'), args=[], keywords=[]):
            return set()
    raise _NoValue(node)
