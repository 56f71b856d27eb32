"""Docstrings as reStructuredText takes them."""

import inspect
import re
from typing import Any

from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

# An argument that is explained as "K. As many as ..." would be read as item K of a list.
LETTER = re.compile(r'^(\s*(?::(?:param|ivar|returns|raises)[^:]*:\s*)?)([A-Za-z])\. ')


def settle(app: Sphinx, what: str, name: str, value: Any, options: object, lines: list[str]) -> None:
    """For Sphinx's ``autodoc-process-docstring``, after napoleon."""
    if isinstance(value, property) and ': ' in (text := inspect.getdoc(value) or '').partition('\n')[0]:
        lines[:] = text.splitlines()  # napoleon takes the words before a colon for a type
    lines[:] = [LETTER.sub(r'\1\2\\. ', line) for line in lines]


def name_array_like(app: Sphinx, what: str, name: str, *others: object) -> None:
    """For Sphinx's ``autodoc-process-signature``: NumPy's long union under its short name."""
    annotations = app.env.current_document.autodoc_annotations.get(name, {})
    for mode in ('smart', 'fully-qualified-except-typing'):
        union = stringify_annotation(ArrayLike, mode)
        for argument, text in annotations.items():
            annotations[argument] = text.replace(union, 'ArrayLike')
