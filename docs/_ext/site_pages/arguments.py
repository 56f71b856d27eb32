"""Arguments of a class or function: from its signature and from the ``Args:`` of its docstring."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sphinx.ext.napoleon import Config, GoogleDocstring


@dataclass(frozen=True)
class Argument:
    """``default`` is ``inspect.Parameter.empty`` if a value must be given."""

    name: str
    annotation: str
    default: Any
    text: str

    @property
    def must_be_given(self) -> bool:
        """Whether a call without it fails."""
        return self.default is inspect.Parameter.empty


def arguments(value: Any) -> list[Argument]:
    """Arguments of a class or function in the order of its signature, those collected by ``**kwargs`` excepted."""
    texts = documented(value)
    return [
        Argument(part.name, _annotation(part), part.default, texts.get(part.name, ''))
        for part in named_parameters(value)
    ]


def named_parameters(value: Any) -> list[inspect.Parameter]:
    """Parameters with a name of their own, in order."""
    collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [part for part in parameters(value) if part.kind not in collecting]


def parameters(value: Any) -> list[inspect.Parameter]:
    """All parameters; none of a class that has the constructor of a built-in one."""
    try:
        return list(inspect.signature(value).parameters.values())
    except ValueError:
        return []


def takes_more(value: Any) -> bool:
    """Whether further keywords are handed on to a class of the host."""
    return any(part.kind is inspect.Parameter.VAR_KEYWORD for part in parameters(value))


def documented(value: Any) -> dict[str, str]:
    """Text of each argument in the ``Args:`` of the docstring, in reStructuredText."""
    lines = GoogleDocstring(inspect.getdoc(value) or '', Config(napoleon_use_param=True)).lines()
    return dict(_fields(lines))


def _fields(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Names and texts of the ``:param name:`` fields."""
    name, parts = '', list[str]()
    for line in [*lines, ':end:']:
        if (name and line.startswith((' ', '\t'))) or not line.strip():
            parts.append(line.strip())
            continue
        if name:
            yield name, ' '.join(part for part in parts if part)
        name, parts = '', []
        if line.startswith(':param '):
            name, _, text = line.removeprefix(':param ').partition(':')
            name, parts = name.replace('\\', '').strip(' *'), [text.strip()]


def _annotation(parameter: inspect.Parameter) -> str:
    if parameter.annotation is inspect.Parameter.empty:
        return ''
    return inspect.formatannotation(parameter.annotation).replace('typing.', '').replace('collections.abc.', '')
