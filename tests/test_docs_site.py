"""The site builds without a warning, its links lead somewhere, and it needs no network."""

import html
import re
from pathlib import Path

import pytest
from built_site import build, dead_links
from pages import PAGES, ROOT

pytest.importorskip('sphinx', reason='the site is built by Sphinx, of requirements/docs.txt')
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory, worker_folder: Path) -> Path:
    return build(worker_folder / 'site')


@pytest.fixture(scope='module')
def worker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all processes of this session of tests."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if base.name.startswith('popen-') else base


def text_of(page: Path) -> str:
    """Words of a page without its tags."""
    return html.unescape(re.sub(r'<[^>]+>', '', page.read_text(encoding='utf-8')))


def test_links_lead_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    assert dead_links(site) == []


def test_every_page_is_on_the_site(site: Path) -> None:
    for page in PAGES:
        if page.is_relative_to(ROOT / 'docs'):
            assert (site / page.relative_to(ROOT / 'docs')).with_suffix('.html').exists()


def test_component_shows_arguments_with_types_and_shapes(site: Path) -> None:
    text = text_of(site / 'reference/functional/dr_loss.html')
    assert re.search(r'labels \(Tensor\)\s*\W Class of each sample, shape \(B,\), long', text)
    assert re.search(r'temperature \(float\)', text)
    assert "type='mmdrl.CountRadius'" in text_of(site / 'reference/radius/CountRadius.html')


def test_link_to_a_file_of_the_project_leads_to_its_copy(site: Path) -> None:
    page = (site / 'data.html').read_text(encoding='utf-8')
    assert 'href="reference/files/benchmarks/results/lists_cpu.json.html"' in page
    copied = text_of(site / 'reference/files/benchmarks/results/digits_seeds.json.html')
    assert (ROOT / 'benchmarks/results/digits_seeds.json').read_text()[:300] in copied


def test_formulas_are_set_without_network(site: Path) -> None:
    page = (site / 'reference/functional/dr_loss.html').read_text(encoding='utf-8')
    address = re.search(r'<script[^>]*src="([^"]*mathjax[^"?]*)', page)[1]
    assert (site / 'reference/functional' / address).resolve().is_relative_to(site.resolve())
    assert (site / 'reference/functional' / address).exists()


def test_notebook_has_run(site: Path) -> None:
    text = text_of(site / 'notebooks/digits.html')
    assert re.search(r'drl, ncm\s*│\s*[\d.]+ │', text)
    by_hand, by_run = re.search(r'([\d.]+) %, the table has ([\d.]+) %', text).groups()
    assert by_hand == by_run
    assert len(list((site / '_images').glob('*.png'))) >= 5


@pytest.mark.parametrize(
    ('page', 'dead'),
    [
        ('<a href="there.html#a">', []),
        ('<a href="there.html#b">', ['<a> there.html#b']),
        ('<a href="gone.html">', ['<a> gone.html']),
        ('<a href="https://example.org">', []),
        ('<img src="https://example.org/x.png">', ['<img> https://example.org/x.png']),
        ('<script src="//example.org/x.js"></script>', ['<script> //example.org/x.js']),
    ],
)
def test_dead_links_are_found(page: str, dead: list[str], tmp_path: Path) -> None:
    (tmp_path / 'there.html').write_text('<p id="a">')
    (tmp_path / 'here.html').write_text(page)
    assert dead_links(tmp_path) == [f'here.html: {found}' for found in dead]
