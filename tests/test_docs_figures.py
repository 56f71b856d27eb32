"""Pictures of the documentation: small, used, described, and what pages quote from them is what they show."""

import re
import sys
from pathlib import Path

import pytest
from pages import PAGES, ROOT

IMAGES = sorted((ROOT / 'docs' / 'images').glob('*'))
OF_RECORDS = ('accuracy_', 'understanding_')  # benchmarks/accuracy.py --report draws those
TEXT = ''.join(page.read_text(encoding='utf-8') for page in PAGES)


@pytest.fixture(scope='module', autouse=True)
def tools_dev() -> None:
    sys.path.insert(0, str(ROOT / 'tools' / 'dev'))


def test_every_picture_is_made_by_the_command() -> None:
    from docs_figures import FIGURES

    own = [path.name for path in IMAGES if not path.name.startswith(OF_RECORDS)]
    assert own == sorted(f'{name}.png' for name in FIGURES)


@pytest.mark.parametrize('path', IMAGES, ids=lambda path: path.stem)
def test_picture_is_small_and_described_where_it_stands(path: Path) -> None:
    assert path.stat().st_size < 150_000
    descriptions = re.findall(rf'!\[([^\]]*)\]\([^)]*images/{path.name}\)', TEXT)
    assert descriptions
    assert all(len(words.split()) > 10 for words in descriptions)


def test_numbers_of_the_worst_case_are_those_of_the_pages() -> None:
    from figures_of_balls import worst_case

    title = worst_case().axes[0].get_title()
    plain, worst, bound = map(float, re.findall(r'\d\.\d\d', title))
    assert plain < worst < bound
    assert (
        f'it is {plain}; at the\nworst place in the ball, towards the common class, {worst}. The DR loss gives {bound}'
        in TEXT
    )
    assert (
        f'is {plain} at the measured centroid and {worst} at the worst place in its ball. The DR loss, {bound}' in TEXT
    )


def test_sample_scope_stays_above_the_searched_worst_case_and_the_released_scope_does_not() -> None:
    from figures_of_balls import loss_and_radius

    worst, sample, _, released = (line.get_ydata() for line in loss_and_radius().axes[0].lines)
    assert (sample >= worst).all()
    assert (released < worst)[-1]
    assert worst[0] == pytest.approx(sample[0]) == pytest.approx(released[0])


@pytest.mark.slow
def test_violations_are_as_many_as_the_page_says() -> None:
    from figures_of_balls import violations

    titles = [axes.get_title() for axes in violations().axes]
    assert '0 of 300 above' in titles[0]
    assert re.search(r'(\d+ of 300) above', titles[1])[1] in TEXT
