"""An action that follows the import of a module, whoever imports it, and leaves no other trace in it."""

import importlib
import inspect
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from command import ROOT

from mmdrl.import_hook import when_imported


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Names of a package, a module in it, and one that fails; forgotten afterwards."""
    (tmp_path / 'nest_of_owls').mkdir()
    (tmp_path / 'nest_of_owls/__init__.py').write_text('import nest_of_owls.owl\n')
    (tmp_path / 'nest_of_owls/owl.py').write_text('def call():\n    return "hoo"\n')
    (tmp_path / 'nest_of_owls/cuckoo.py').write_text('raise ZeroDivisionError\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    yield dict(package='nest_of_owls', module='nest_of_owls.owl', failing='nest_of_owls.cuckoo')
    for name in [name for name in sys.modules if name.startswith('nest_of_owls')]:
        del sys.modules[name]


def test_action_follows_the_import_and_each_reload(names: dict[str, str]) -> None:
    seen: list[str] = []
    when_imported(names['module'], lambda module: seen.append(module.call()))
    assert seen == []
    importlib.import_module(names['package'])
    assert seen == ['hoo']
    importlib.import_module(names['module'])
    assert seen == ['hoo']
    importlib.reload(sys.modules[names['module']])
    assert seen == ['hoo', 'hoo']


def test_module_that_is_there_is_acted_on_at_once(names: dict[str, str]) -> None:
    module = importlib.import_module(names['module'])
    seen: list[ModuleType] = []
    when_imported(names['module'], seen.append)
    assert seen == [module]


def test_module_keeps_its_own_loader(names: dict[str, str]) -> None:
    loaders: list[Any] = []
    when_imported(names['module'], lambda module: loaders.append(module.__loader__))
    module = importlib.import_module(names['module'])
    assert module.__spec__ is not None
    assert type(module.__loader__) is type(module.__spec__.loader) is type(loaders[0]) is SourceFileLoader
    assert inspect.getsource(module.call) == 'def call():\n    return "hoo"\n'


def test_package_stays_a_package(names: dict[str, str]) -> None:
    seen: list[ModuleType] = []
    when_imported(names['package'], seen.append)
    assert importlib.import_module(names['module']).call() == 'hoo'
    assert [module.__name__ for module in seen] == [names['package']]


def test_module_that_fails_or_is_not_there_fails_as_ever(names: dict[str, str]) -> None:
    seen: list[ModuleType] = []
    when_imported(names['failing'], seen.append)
    when_imported('nest_of_owls.nobody', seen.append)
    with pytest.raises(ZeroDivisionError):
        importlib.import_module(names['failing'])
    with pytest.raises(ModuleNotFoundError, match=r'nest_of_owls\.nobody'):
        importlib.import_module('nest_of_owls.nobody')
    assert seen == []


def test_module_in_the_midst_of_its_import_is_waited_for(names: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / 'nest_of_owls/owl.py').write_text('import time\ntime.sleep(0.3)\ndef call():\n    return "hoo"\n')
    importlib.invalidate_caches()
    thread = threading.Thread(target=importlib.import_module, args=(names['module'],))
    thread.start()
    while names['module'] not in sys.modules:
        pass
    seen: list[str] = []
    when_imported(names['module'], lambda module: seen.append(module.call()))
    thread.join()
    assert seen == ['hoo']


def test_mmengine_is_told_of_mmdrl_without_being_imported() -> None:
    code = """
        import sys
        import mmdrl
        assert 'mmengine' not in sys.modules
        from mmengine.config import Config
        from mmengine.config.utils import MODULE2PACKAGE
        print(MODULE2PACKAGE['mmdrl'])
    """
    command = [sys.executable, '-W', 'ignore', '-c', textwrap.dedent(code)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.stdout == 'mmdrl\n', answer.stderr


def test_two_hooks_of_the_kind_do_not_send_each_other_in_circles(names: dict[str, str]) -> None:
    """As after a reload of the module that has it, or with another package that does the same."""
    from mmdrl.import_hook import _Finder

    other = _Finder()
    seen: list[str] = []
    when_imported(names['module'], lambda _: seen.append('first'))
    other.actions[names['module']] = lambda _: seen.append('second')
    sys.meta_path.insert(0, other)
    try:
        importlib.import_module(names['module'])
    finally:
        sys.meta_path.remove(other)
    assert sorted(seen) == ['first', 'second']


def test_finder_of_the_old_kind_is_passed_over(names: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    when_imported(names['module'], lambda _: seen.append('now'))
    monkeypatch.setattr(sys, 'meta_path', [*sys.meta_path[:1], object(), *sys.meta_path[1:]])
    importlib.import_module(names['module'])
    assert seen == ['now']
