"""The page of a report in a browser, and the tool that writes it."""

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from browser import Visit, visit
from command import tool
from refusals import command
from run_folders import write_run

from mmdrl.engine.report import write_report
from mmdrl.errors import DataError

pytestmark = pytest.mark.slow
EVIL = '<script>window.hacked = 1</script>"><img src=x onerror="window.hacked = 2">'
CE, DRL = (30.0, 33.0, 34.0), (50.0, 51.0, 55.0)


def metrics(few: float) -> dict[str, float]:
    return {
        'many': 90.0,
        'medium': 80.0,
        'few': few,
        'all': few / 2 + 40,
        'ncm/few': few + 5,
        'ece': 12.5,
        'brier': 0.25,
    }


@pytest.fixture(scope='module')
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two methods over three seeds; the second one's names and texts are an attack."""
    folder = tmp_path_factory.mktemp('runs')
    found = [write_run(folder / f'ce-{s}', metrics(few), s, 'ce_small') for s, few in enumerate(CE)]
    for seed, few in enumerate(DRL):
        name = f'drl_small {EVIL}'
        run = write_run(folder / f'drl{"<b>" if seed else ""}-{seed}', metrics(few), seed, 'drl_small', note=EVIL)
        results = json.loads((run / 'results.json').read_text())
        (run / 'results.json').write_text(json.dumps(results | dict(config=name, cpu=EVIL)))
        found.append(run)
    return found


@pytest.fixture(scope='module')
def page(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(runs, tmp_path_factory.mktemp('out') / 'report', title='Digits & <others>')


@pytest.fixture(scope='module')
def seen(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return visit(page, tmp_path_factory.mktemp('browser'), widths=(1000, 400))


def test_tables_hold_the_numbers_of_the_runs(seen: Visit) -> None:
    tables = {table['caption']: table for table in seen.pages[1000]['tables']}
    accuracy = next(table for caption, table in tables.items() if caption.startswith('Top-1'))
    assert accuracy['rows'][0] == ['', 'many', 'medium', 'few', 'all', 'seeds']
    for row, fews in zip((1, 3), (CE, DRL), strict=True):
        few = f'{np.mean(fews):.1f} ± {np.std(fews, ddof=1):.1f}'
        assert accuracy['rows'][row][1:4] == ['90.0 ± 0.0', '80.0 ± 0.0', few]
        assert accuracy['rows'][row][5] == '3'
    gaps = np.subtract(DRL, CE)
    differences = next(table for caption, table in tables.items() if caption.startswith('Differences'))
    assert differences['rows'][1][3] == f'{gaps.mean():+.1f} ± {gaps.std(ddof=1) / np.sqrt(3):.1f} *'
    others = next(table for caption, table in tables.items() if caption.startswith('Other'))
    assert others['rows'][1] == ['expected calibration error, %', '12.5 ± 0.0', '12.5 ± 0.0']
    assert others['rows'][2] == ['Brier score, 0 to 2', '0.250 ± 0.000', '0.250 ± 0.000']
    single = tables['The runs, one by one']
    assert [row[4] for row in single['rows'][1:]] == [f'{few:.1f}' for few in (*CE, *DRL)]
    assert all(row[7:] == ['epoch_4.pth', '0123456789'] for row in single['rows'][1:])


def test_every_header_says_what_it_heads(seen: Visit) -> None:
    for table in seen.pages[1000]['tables']:
        assert set(table['scopes']) == {'col', 'row'}
        assert table['scopes'].count('row') == len(table['rows']) - 1
        assert len({len(row) for row in table['rows']}) == 1


def test_images_decode_and_have_words(seen: Visit) -> None:
    images = seen.pages[1000]['images']
    assert len(images) >= 10
    assert all(width > 100 and len(alt) > 20 and source == 'data:image' for width, alt, source in images)
    assert any(alt.startswith('Training loss and accuracy') and 'ce_small' in alt for _, alt, _ in images)


def test_headings_go_down_one_by_one_and_links_lead_somewhere(seen: Visit) -> None:
    page = seen.pages[1000]
    levels = [int(name[1]) for name, _ in page['headings']]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    names = [text for _, text in page['headings']]
    for name in ('Measures', 'Curves', 'Stages', 'Runs', 'Configs', 'Environment', 'How to repeat'):
        assert name in names
    assert page['dead'] == page['repeated'] == []


def test_narrow_window_has_no_sideways_scrolling_but_in_tables(seen: Visit) -> None:
    assert set(seen.pages) == {400, 1000}
    for page in seen.pages.values():
        assert page['overflow'] <= 0
        assert page['scrolled']


def test_names_and_texts_of_runs_are_shown_and_never_run(seen: Visit) -> None:
    page = seen.pages[1000]
    assert page['hacked'] is None
    assert page['title'] == 'Digits & <others>'
    assert not {'b', 'iframe', 'object', 'link:x'} & set(page['elements'])
    assert f'drl_small {EVIL}' in page['body']
    assert not [message for message in seen.messages if 'page.html' in message]


def test_nothing_is_asked_of_the_network(seen: Visit, page: Path) -> None:
    assert seen.addresses == []
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*', _without_texts(page)) == []


def test_the_browser_would_tell_what_a_page_asks_for(tmp_path: Path) -> None:
    (tmp_path / 'index.html').write_text('<!DOCTYPE html><img src="http://example.org/a.png">')
    assert visit(tmp_path / 'index.html', tmp_path / 'browser').addresses == ['http://example.org/a.png']


def test_no_folder_of_the_machine_is_told(runs: list[Path], page: Path) -> None:
    for path in (page, page.with_name('report.md')):
        text = path.read_text()
        assert str(runs[0].parent) not in text
        assert '/home/' not in text
        assert 'private' not in text
        assert 'python tools/train.py configs/ce_small.py --gpus 0' in text


def test_dark_colours_on_demand(page: Path, seen: Visit, tmp_path: Path) -> None:
    dark = visit(page, tmp_path, dark=True).pages[1000]
    lights = [sum(map(int, re.findall(r'\d+', found['background']))) for found in (seen.pages[1000], dark)]
    assert lights[0] == 3 * 255
    assert lights[1] < 200


def test_markdown_has_the_same_tables_and_its_figures(seen: Visit, page: Path) -> None:
    text = page.with_name('report.md').read_text()
    for row in seen.pages[1000]['tables'][0]['rows'][1:3]:
        assert '| ' + ' | '.join(row).replace('_', r'\_') + ' |' in text
    links = re.findall(r'\]\((figures/[^)]+)\)', text)
    assert sorted(links) == sorted(f'figures/{path.name}' for path in (page.parent / 'figures').iterdir())
    assert len(links) == len(seen.pages[1000]['images'])
    assert '<script>' not in re.sub(r'```.*?```', '', text, flags=re.DOTALL).replace(r'\<', '')


def test_new_report_takes_the_place_of_the_old_and_a_failed_one_leaves_it(runs: list[Path], tmp_path: Path) -> None:
    out = tmp_path / 'deep/report'
    write_report(runs[:1], out)
    count = len(list((out / 'figures').iterdir()))
    with pytest.raises(DataError, match='found neither'):
        write_report([runs[0], tmp_path], out)
    assert len(list((out / 'figures').iterdir())) == count
    unfinished = write_run(tmp_path / 'run', metrics(1.0), is_finished=False)
    (unfinished / '20260101_000000/vis_data/scalars.json').write_text('')
    write_report([unfinished], out)
    assert len(list((out / 'figures').iterdir())) < count
    assert 'No run on these data has ended' in (out / 'report.html').read_text()
    assert [path.name for path in out.parent.iterdir()] == ['report']


def test_tool_writes_where_it_says_or_ends_in_a_sentence(tmp_path: Path) -> None:
    run = write_run(tmp_path / 'work_dirs/run', metrics(1.0), is_finished=False)
    done = tool('analysis/report', run, 'work_dirs/run', cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert 'Report: work_dirs/report/report.html' in done.stdout
    assert (tmp_path / 'work_dirs/report/report.html').read_text().count('unfinished (run)</td>') == 1
    status, text = command('analysis/report', 'nowhere', cwd=tmp_path)
    assert status == 1
    assert text.strip().startswith('error: Expected the work folder of a run, found no folder nowhere')


def _without_texts(page: Path) -> str:
    """The tags alone."""
    found: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list) -> None:
            found.append(self.get_starttag_text() or '')

    Tags().feed(page.read_text())
    return ''.join(found)
