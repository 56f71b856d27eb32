"""References that docstrings write short: ``:class:`RadiusPolicy``` and the exceptions of ``Raises:``."""

import sys

from docutils.nodes import Element, reference
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

from .components import components


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element) -> Element | None:
    """For Sphinx's ``missing-reference``: the component of that name, or plain text for what has no page but exists."""
    target = str(node.get('reftarget', ''))
    if node.get('refdomain') != 'py' or not target:
        return None
    objects = env.domains['py'].data['objects']
    owner, _, last = target.rpartition('.')
    for component in components():
        for name in (component.name, f'{component.name}.{last}'):
            if name.endswith(f'.{target}') and name in objects:
                entry = objects[name]
                return _link(app, node, entry.docname, entry.node_id, text)
    return text if _exists(owner, last) else None


def _link(app: Sphinx, node: pending_xref, page: str, anchor: str, text: Element) -> reference:
    return make_refnode(app.builder, node['refdoc'], page, anchor, text)


def _exists(owner: str, name: str) -> bool:
    """Whether the project has something of this name: in that module, or anywhere if it is written short."""
    modules = [module for place, module in sys.modules.items() if place.partition('.')[0] == 'mmdrl']
    if owner.startswith('mmdrl.') and owner in sys.modules and hasattr(sys.modules[owner], name):
        return True
    found = (getattr(module, name, None) for module in modules)
    return any(getattr(value, '__module__', '').startswith('mmdrl.') for value in found)
