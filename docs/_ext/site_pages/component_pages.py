"""A page for each component, one for each kind, and one table of all that configs can name."""

from collections import defaultdict
from inspect import isclass, isfunction

from .arguments import arguments, takes_more
from .components import KINDS, Component, components, is_registry
from .pages import Pages, heading

INTRODUCTION = """\
Every part of mmdrl, from its docstring. Letters: B samples of a batch, D features, K classes, N training images,
``n_c`` images of class c. Distances and radii are in feature units unless said otherwise, accuracies in percent.
"""
ARGUMENTS_INTRODUCTION = """\
What a config can name by ``type='mmdrl....'``, with every key it takes there. A key without
default must be given, unless the text says who fills it in. :doc:`/configuration` shows how they go together.
"""


def write(pages: Pages) -> None:
    """Write them all."""
    kinds = defaultdict[str, list[Component]](list)
    for component in components():
        kinds[component.kind[0]].append(component)
        pages.write(f'{component.page}.rst', page(component))
    titles = {folder: title for _, folder, title in KINDS}
    for folder, members in kinds.items():
        pages.write(f'{folder}/index.rst', kind_page(titles[folder], members))
    toctree = '.. toctree::\n   :maxdepth: 2\n\n' + ''.join(
        f'   {folder}/index\n' for folder in titles if folder in kinds
    )
    pages.write('index.rst', heading('Components') + INTRODUCTION + '\n' + toctree)
    pages.write('arguments.rst', arguments_page([member for members in kinds.values() for member in members]))


def page(component: Component) -> str:
    """Page of one component."""
    text = heading(component.title)
    if component.node:
        text += '.. code-block:: python\n   :caption: In a config, with its defaults\n\n'
        text += f'{indented(as_config(component))}\n\n'
    if isclass(component.value):
        return f'{text}.. autoclass:: {component.name}\n   :members:\n   :show-inheritance:\n'
    if isfunction(component.value):
        return f'{text}.. autofunction:: {component.name}\n'
    if is_registry(component.value):
        held = ''.join(
            f'- :doc:`/reference/{part.page}`\n' for part in components() if part.node == component.value.name
        )
        return f'{text}.. py:data:: {component.name}\n\n   What it holds of ours:\n\n{indented(held or "nothing")}\n'
    kind = type(component.value).__name__
    value = repr(component.value).replace('typing.', '') if kind in ('tuple', '_LiteralGenericAlias') else f'a {kind}'
    return f'{text}.. py:data:: {component.name}\n   :value: {value}\n'


def kind_page(title: str, members: list[Component]) -> str:
    """Table of contents of one kind, with the first sentence of each."""
    rows = ''.join(f'   * - :doc:`{member.title}`\n     - {member.summary}\n' for member in members)
    toctree = ''.join(f'   {member.title}\n' for member in members)
    return f'{heading(title)}.. list-table::\n   :widths: 30 70\n\n{rows}\n.. toctree::\n   :hidden:\n\n{toctree}'


def arguments_page(members: list[Component]) -> str:
    """Keys of every registered class."""
    text = heading('Arguments') + ARGUMENTS_INTRODUCTION
    for member in sorted((member for member in members if member.node), key=lambda member: member.title.lower()):
        title = f'{member.title}'
        text += f'\n{title}\n{"-" * len(title)}\n\n{member.summary} :doc:`/reference/{member.page}`\n\n'
        if rows := ''.join(
            f'   * - ``{part.name}``\n     - {f"``{part.annotation}``" if part.annotation else ""}\n'
            f'     - {"" if part.must_be_given else f"``{part.default!r}``"}\n     - {part.text}\n'
            for part in arguments(member.value)
        ):
            text += '.. list-table::\n   :header-rows: 1\n   :widths: 15 20 15 50\n\n'
            text += '   * - key\n     - type\n     - default\n     - meaning\n' + rows
        if takes_more(member.value):
            base = member.value.__mro__[1]
            text += f'\nFurther keys are those of ``{base.__module__}.{base.__qualname__}``.\n'
    return text


def as_config(component: Component) -> str:
    """The dict that stands for the component in a config."""
    keys = [f"    type='mmdrl.{component.title}',"]
    keys += [
        f'    {part.name}=...,  # no default' if part.must_be_given else f'    {part.name}={part.default!r},'
        for part in arguments(component.value)
    ]
    return 'dict(\n' + '\n'.join(keys) + '\n)'


def indented(text: str) -> str:
    """``text`` as the body of a directive."""
    return '\n'.join(f'   {line}' for line in text.splitlines())
