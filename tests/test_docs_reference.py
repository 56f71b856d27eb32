"""The generated pages have every component, and docstrings name the arguments that there are."""

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest
from pages import PAGES, ROOT

pytest.importorskip('sphinx', reason='the pages are made with Sphinx, of requirements/docs.txt')
sys.path.append(str(ROOT / 'docs/_ext'))

from site_pages import component_pages, config_pages, tool_pages
from site_pages.arguments import documented, named_parameters, parameters, takes_more
from site_pages.components import Component, components
from site_pages.pages import Pages

COMPONENTS = components()
CALLABLE = [
    component for component in COMPONENTS if inspect.isclass(component.value) or inspect.isfunction(component.value)
]


@pytest.fixture(scope='module')
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('reference')
    written = Pages(folder)
    component_pages.write(written)
    config_pages.write(written)
    tool_pages.write(written)
    return folder


def decorated() -> set[str]:
    """Classes that the sources register, found without running them."""
    found = set()
    for path in (ROOT / 'mmdrl').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.ClassDef):
                marks = [ast.unparse(mark) for mark in node.decorator_list]
                found |= {node.name for mark in marks if re.fullmatch(r'[A-Z_]+\.register_module\(.*\)', mark)}
    return found


def test_every_registered_class_has_a_page_and_its_arguments(pages: Path) -> None:
    shown = {path.stem: path.read_text() for path in pages.rglob('*.rst')}
    arguments = (pages / 'arguments.rst').read_text()
    assert decorated()
    for name in decorated():
        assert f"type='mmdrl.{name}'" in shown[name]
        assert re.search(rf'^{name}\n-+$', arguments, re.MULTILINE), name


def test_every_public_name_has_a_page(pages: Path) -> None:
    have = {path.stem for path in pages.rglob('*.rst')}
    for init in (ROOT / 'mmdrl').rglob('__init__.py'):
        for node in ast.parse(init.read_text(encoding='utf-8')).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__all__':
                names = {name for name in ast.literal_eval(node.value) if not name.startswith('_')}
                assert names <= have, f'{init}: {names - have}'


def test_what_pages_import_has_a_page() -> None:
    known = {id(component.value) for component in COMPONENTS}
    for page in PAGES:
        for place, names in re.findall(r'^ *from (mmdrl[\w.]*) import (.+)$', page.read_text(encoding='utf-8'), re.M):
            module = __import__(place, fromlist=['_'])
            for name in re.findall(r'\w+', names):
                assert id(getattr(module, name)) in known, f'{page.name}: {place}.{name}'


@pytest.mark.parametrize('component', CALLABLE, ids=lambda component: component.name)
def test_docstring_names_the_arguments_that_there_are(component: Component) -> None:
    assert component.summary, 'no docstring'
    texts = documented(component.value)
    names = {part.name for part in named_parameters(component.value)}
    taken = {part.name for part in parameters(component.value)}
    assert texts.keys() <= taken or takes_more(component.value), f'no such argument: {texts.keys() - taken}'
    if texts or component.node:
        own = vars(component.value).get('__init__', None) if inspect.isclass(component.value) else component.value
        if own is not None:
            assert names <= texts.keys(), f'not in the docstring: {names - texts.keys()}'
    assert all(texts.values()), texts


def test_every_tool_and_config_is_shown(pages: Path) -> None:
    text = (pages / 'tools.md').read_text()
    for path in [*(ROOT / 'tools').glob('*.py'), *(ROOT / 'tools/analysis').glob('*.py')]:
        if 'def parse_args' in path.read_text():
            assert f'$ python {path.relative_to(ROOT).as_posix()} -h\nusage: ' in text
    shown = '\n'.join(path.read_text() for path in (pages / 'configs').glob('*.md'))
    for path in (ROOT / 'configs').glob('*/**/*.py'):
        assert f'## {path.relative_to(ROOT / "configs").as_posix()}\n' in shown


def test_pages_of_what_is_gone_are_deleted_and_others_keep_their_date(tmp_path: Path) -> None:
    first = Pages(tmp_path)
    first.write('losses/Old.rst', 'old')
    first.write('losses/Kept.rst', 'kept')
    date = (tmp_path / 'losses/Kept.rst').stat().st_mtime_ns
    second = Pages(tmp_path)
    second.write('losses/Kept.rst', 'kept')
    second.delete_others()
    assert [path.name for path in tmp_path.rglob('*.rst')] == ['Kept.rst']
    assert (tmp_path / 'losses/Kept.rst').stat().st_mtime_ns == date
