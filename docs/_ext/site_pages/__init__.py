"""Pages made anew by every build from what the project consists of, in ``docs/reference`` (which git ignores).

One page per component, tables of arguments and configs, ``-h`` of every tool, and copies of files outside ``docs/``
that pages link to: on a code host a link such as ``../configs/digits_lt/README.md`` leads to the file, here to
its copy.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from . import component_pages, config_pages, docstrings, files, references, tool_pages
from .pages import Pages


def write_pages(app: Sphinx) -> None:
    """Write what has changed and delete what is no longer made."""
    pages = Pages(Path(app.srcdir) / 'reference')
    for maker in (component_pages, config_pages, tool_pages):
        maker.write(pages)
    files.write(pages, Path(app.srcdir))
    pages.delete_others()


def fold_sidebar(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Show in the sidebar of a page its own branch alone: all components on every page are most of a build's time."""
    whole = context['toctree']
    context['toctree'] = lambda **settings: whole(**settings | dict(collapse=True))


def setup(app: Sphinx) -> dict[str, object]:
    """Connect to Sphinx."""
    app.connect('builder-inited', write_pages)
    app.connect('source-read', files.lead_to_copies)
    app.connect('autodoc-process-docstring', docstrings.settle, priority=600)
    app.connect('autodoc-process-signature', docstrings.name_array_like, priority=600)
    app.connect('build-finished', files.copy_whole_pages)
    app.connect('missing-reference', references.resolve)
    app.connect('html-page-context', fold_sidebar, priority=400)  # before the theme asks for it
    return {'version': '1', 'parallel_read_safe': True, 'parallel_write_safe': True}
