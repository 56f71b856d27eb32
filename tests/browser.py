"""Opens a page in a real browser without a network and tells what became of it."""

import json
import os
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
FLAGS = (
    *('--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'),
    *('--disable-sync', '--no-first-run', '--disable-dev-shm-usage', '--disable-extensions', '--hide-scrollbars'),
    *('--host-resolver-rules=MAP * ~NOTFOUND', '--enable-logging=stderr', '--virtual-time-budget=5000'),
)
PROBE = """
<script>
addEventListener('load', () => {
  const all = (query, of = document) => [...of.querySelectorAll(query)];
  const text = node => node.textContent.trim();
  parent.postMessage({
    width: innerWidth,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    title: document.title,
    headings: all('h1, h2, h3').map(node => [node.tagName.toLowerCase(), text(node)]),
    images: all('img').map(node => [node.naturalWidth, node.alt, node.src.slice(0, 10)]),
    tables: all('table').map(node => ({
      caption: text(document.getElementById(node.getAttribute('aria-labelledby'))),
      scopes: all('th', node).map(cell => cell.scope),
      rows: all('tr', node).map(row => [...row.children].map(text)),
    })),
    scrolled: all('.scroll').every(node => node.tabIndex === 0 && node.clientWidth <= innerWidth),
    dead: all('a[href^="#"]').map(node => node.hash.slice(1)).filter(id => !document.getElementById(id)),
    repeated: all('[id]').map(node => node.id).filter((id, place, ids) => ids.indexOf(id) !== place),
    elements: [...new Set(all('*').map(node => node.tagName.toLowerCase()))],
    body: document.body.innerText,
    background: getComputedStyle(document.body).backgroundColor,
    hacked: window.hacked === undefined ? null : window.hacked,
  }, '*');
});
</script>
"""
FRAMES = """<!DOCTYPE html><meta charset="utf-8"><pre id="found"></pre>
{frames}
<script>
const found = [];
addEventListener('message', event => {{
  found.push(event.data);
  document.getElementById('found').textContent = JSON.stringify(found);
}});
</script>
"""


class Visit(NamedTuple):
    """What a page is in the browser.

    Attributes:
        pages: What the probe saw, by the width of the window.
        addresses: All that the page asked for, but files and data within it.
        messages: Of the console of the page.
    """

    pages: dict[int, dict[str, Any]]
    addresses: list[str]
    messages: list[str]


def find_browser() -> str:
    """Chromium or Chrome, of the variable CHROMIUM or by its usual names; a test without one is skipped."""
    found = next(filter(None, map(shutil.which, filter(None, [os.environ.get('CHROMIUM'), *NAMES]))), None)
    if found is None:
        pytest.skip(f'no browser: none of {", ".join(NAMES)} is there, and CHROMIUM names none')
    return found


def visit(page: Path, folder: Path, widths: tuple[int, ...] = (1000,), dark: bool = False) -> Visit:
    """Open a page in frames of some widths, in an empty profile.

    Args:
        page: HTML file; a copy of it gets a script that looks around.
        folder: For the copy, the profile and the log of the network.
        widths: In CSS pixels.
        dark: Whether the user has asked for dark colours.
    """
    browser = find_browser()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'page.html').write_text(page.read_text(encoding='utf-8') + PROBE, encoding='utf-8')
    frames = '\n'.join(f'<iframe src="page.html" width="{width}" height="900"></iframe>' for width in widths)
    (folder / 'frames.html').write_text(FRAMES.format(frames=frames))
    log = folder / 'network.json'
    done = subprocess.run(
        [
            *(browser, *FLAGS, f'--user-data-dir={folder / "profile"}', f'--log-net-log={log}'),
            *(('--blink-settings=preferredColorScheme=0',) if dark else ()),
            *('--window-size=1400,1000', '--dump-dom', (folder / 'frames.html').as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    start, end = '<pre id="found">', '</pre>'
    assert start in done.stdout, done.stderr[-2000:]
    found = json.loads(unescape(done.stdout.partition(start)[2].partition(end)[0]) or '[]')
    messages = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
    return Visit({entry['width']: entry for entry in found}, _addresses(log), messages)


def _addresses(log: Path) -> list[str]:
    """Addresses that pages asked for, by the log of the network; its last line may be cut off."""
    text = log.read_text()
    try:
        events = json.loads(text)['events']
    except ValueError:
        events = json.loads(text.rstrip().rstrip(',') + ']}')['events']
    requests = [event['params'] for event in events if 'initiator' in event.get('params', {})]
    # What the browser asks on its own account, for updates or the time, has no page as its origin.
    found = {str(request['url']) for request in requests if request['initiator'] != 'not an origin'}
    return sorted(address for address in found if not address.startswith(('file:', 'data:', 'chrome:')))
