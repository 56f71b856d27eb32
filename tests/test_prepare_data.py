"""The data tool as a user types it, against a server of our own."""

import argparse
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from command import ROOT, heed_interrupts, mim, tool
from file_server import FileServer, serving

from mmdrl.datasets.lists.published import PUBLISHED, blob_hash
from mmdrl.datasets.preparation import NAMES

pytestmark = pytest.mark.slow


def published_profile(split: str) -> list[int]:
    """Counts with the published numbers of Places-LT: images, classes, largest, smallest."""
    expected = PUBLISHED['Places-LT'][split]
    counts = [expected.smallest] * expected.classes
    rest = expected.images - sum(counts)
    for label in range(expected.classes):
        more = min(expected.largest - expected.smallest, rest)
        counts[label] += more
        rest -= more
    assert rest == 0
    return counts


def write_lists(folder: Path, splits: tuple[str, ...] = ('train', 'val', 'test')) -> dict[str, bytes]:
    """Lists of Places-LT with the right numbers, which nobody has published."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in splits:
        rows = [
            f'{split}/{label}/{number}.jpg {label}\n'
            for label, n in enumerate(published_profile(split))
            for number in range(n)
        ]
        (folder / f'Places_LT_{split}.txt').write_text(''.join(rows))
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def server():
    with serving() as served:
        yield served


def test_own_lists_are_checked_shown_and_left_as_they_are(server: FileServer, tmp_path: Path) -> None:
    before = write_lists(tmp_path / 'data')
    answer = tool('prepare_data', 'places-lt', '--root', 'data', '--mirror', server.address, cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    assert server.requests == []
    after = contents(tmp_path / 'data')
    assert after.keys() - before.keys() == {'class_counts_places-lt.png'}
    assert {name: after[name] for name in before} == before
    assert after['class_counts_places-lt.png'].startswith(b'\x89PNG')
    assert answer.stdout.count('differs from the published list') == 3
    assert '62,500' in answer.stdout
    assert '4,980' in answer.stdout
    assert '996' in answer.stdout  # 4980 / 5


def test_one_name_may_fail_and_the_others_go_on(server: FileServer, tmp_path: Path) -> None:
    write_lists(tmp_path / 'data', ('train', 'test'))
    server.files['Places_LT_val.txt'] = b'<html>Sign in</html>'
    answer = tool(
        *('prepare_data', 'cifar10', 'places-lt', '--root', 'data', '--mirror', server.address, '--retries', 0),
        cwd=tmp_path,
    )
    assert answer.returncode == 1
    assert 'Traceback' not in answer.stdout
    errors = [line for line in answer.stdout.splitlines() if line.startswith('error: ')]
    assert [error.split()[1] for error in errors] == ['cifar10:', 'places-lt:']
    assert '404' in errors[0]
    assert 'Places_LT_val.txt gave a file whose git hash is not the published' in errors[1]
    assert '62,500' in answer.stdout
    assert set(contents(tmp_path / 'data')) == {
        'Places_LT_train.txt',
        'Places_LT_test.txt',
        'class_counts_places-lt.png',
    }


def test_control_c_keeps_what_was_fetched_and_says_how_to_go_on(server: FileServer, tmp_path: Path) -> None:
    server.files['Places_LT_train.txt'] = bytes(range(256)) * 10_000
    server.faults = [dict(hold=2_000_000)]
    command = [sys.executable, '-W', 'ignore', str(ROOT / 'tools/prepare_data.py'), 'places-lt', '--root', 'data']
    child = subprocess.Popen(
        [*command, '--mirror', server.address],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_interrupts,
    )
    part = tmp_path / 'data/Places_LT_train.txt.part'
    for _ in range(6000):
        if part.exists() and part.stat().st_size > 1_000_000:
            break
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 130
    assert output.rstrip().endswith('Stopped. What was fetched is kept; the same command goes on from there.')
    assert 'Traceback' not in output
    assert part.read_bytes() == server.files['Places_LT_train.txt'][: part.stat().st_size]
    assert part.stat().st_size > 1_000_000


@pytest.mark.host
def test_mim_runs_the_tool_from_an_empty_folder(tmp_path: Path) -> None:
    write_lists(tmp_path / 'data')
    answer = mim(
        'run', 'mmdrl', 'prepare_data', 'places-lt', '--root', 'data', '--mirror', 'http://127.0.0.1:9', cwd=tmp_path
    )
    assert answer.returncode == 0, answer.stdout
    assert (tmp_path / 'data/class_counts_places-lt.png').exists()


def test_root_that_is_a_file_ends_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / 'data').write_text('mine')
    answer = tool('prepare_data', 'places-lt', '--root', 'data', cwd=tmp_path)
    assert answer.returncode == 1
    assert 'error: places-lt: Making the folder data failed: File exists' in answer.stdout
    assert (tmp_path / 'data').read_text() == 'mine'


def test_tool_offers_the_sets_that_can_be_prepared() -> None:
    assert runpy.run_path(str(ROOT / 'tools/prepare_data.py'))['NAMES'] == NAMES


def test_second_run_makes_no_request_and_changes_no_data(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """With lists that count as the published ones, served by the mirror."""
    source = write_lists(tmp_path / 'mirror')
    server.files.update(source)
    published = {
        split: replace(expected, git_blob=blob_hash((tmp_path / 'mirror' / expected.list_name).read_bytes()))
        for split, expected in PUBLISHED['Places-LT'].items()
    }
    monkeypatch.setitem(PUBLISHED, 'Places-LT', published)
    main = runpy.run_path(str(ROOT / 'tools/prepare_data.py'))['main']
    args = argparse.Namespace(
        names=['places-lt'], root=str(tmp_path / 'data'), mirror=server.address, images=False, retries=0
    )
    assert main(args) == 0
    assert len(server.requests) == 3
    assert 'differs' not in capsys.readouterr().out
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / 'data').iterdir() if path.suffix != '.png'}
    assert main(args) == 0
    assert len(server.requests) == 3
    assert times == {name: (tmp_path / 'data' / name).stat().st_mtime_ns for name in times}
