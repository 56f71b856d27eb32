"""Something to do right after a module of another package has been imported, without importing it now.

A finder in front of ``sys.meta_path`` leaves the search to the others and lets the loader they find do its work;
the module keeps that loader. It also sees ``importlib.reload`` and the imports of forked processes.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

Action = Callable[[ModuleType], None]


def when_imported(name: str, action: Action) -> None:
    """Call an action with a module each time it has been executed, and now if it is there already.

    Args:
        name: Full name of the module. One action for each; a later one takes the place of an earlier one.
        action: What to call. It must not raise: the import of somebody else's module would fail.
    """
    _FINDER.actions[name] = action
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    if name in sys.modules:
        action(import_module(name))  # which waits, should another thread be in the midst of it


class _Finder(MetaPathFinder):
    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}
        self._searching: set[tuple[int, str]] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # Another hook of the kind, such as this one before a reload, asks all finders, too.
        search = threading.get_ident(), name
        if name not in self.actions or search in self._searching:
            return None
        self._searching.add(search)
        try:
            found = (finder.find_spec(name, path, target) for finder in sys.meta_path if hasattr(finder, 'find_spec'))
            spec = next((spec for spec in found if spec is not None), None)
        finally:
            self._searching.remove(search)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.actions[name])
        return spec


class _Loader(Loader):
    """The loader that was found, followed by the action."""

    def __init__(self, loader: Loader, action: Action):
        self.loader = loader
        self.action = action

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.action(module)


_FINDER = _Finder()
