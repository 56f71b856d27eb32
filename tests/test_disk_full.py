"""Training on disks that are really full: a sentence, status 1, a whole last checkpoint, and a way to go on."""

import functools
import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command import ROOT, SHORT_DIGITS, run

pytestmark = [pytest.mark.slow, pytest.mark.faults]
ARGUMENTS = ['--cfg-options', *SHORT_DIGITS, 'default_hooks.summary.figures=False']
# Name, options of a tmpfs, longest file, moment at which the rest of the disk is filled.
CASES = [
    ('checkpoint', 'size=20m', None, 'checkpoint'),
    ('end', 'size=20m', None, 'end'),
    ('log', 'size=20m', None, 'iteration'),
    ('names', 'size=20m,nr_inodes=12', None, None),  # room for a second checkpoint, none for the file that names it
    ('start', 'size=4k', None, None),
    ('limit', None, 150_000, None),
]


@functools.cache
def can_mount() -> bool:
    """Whether this user may have a mount namespace and a small disk in it."""
    try:
        return subprocess.run(['unshare', '-rm', 'mount', '-t', 'tmpfs', 'none', '/tmp'], check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope='module')
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What has become of each case."""
    folder = tmp_path_factory.mktemp('disks')
    keys = ('name', 'options', 'limit', 'fill')
    plan = [dict(zip(keys, case, strict=True), arguments=ARGUMENTS) for case in CASES if can_mount() or not case[1]]
    (folder / 'plan.json').write_text(json.dumps(plan))
    own_disks = ['unshare', '-rm'] if can_mount() else []
    worker = [sys.executable, '-W', 'ignore', ROOT / 'tests/worker_disk_full.py', folder / 'plan.json']
    answer = run(*own_disks, *worker, cwd=folder)
    assert answer.returncode == 0, answer.stdout
    found = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith('{"')]
    return {result['name']: result for result in found}


@pytest.fixture(params=[name for name, *_ in CASES])
def result(request: pytest.FixtureRequest, results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if request.param not in results:
        pytest.skip('nobody may mount a disk here')
    return results[request.param]


def test_full_disk_ends_in_a_sentence_and_leaves_nothing_half_written(result: dict[str, Any]) -> None:
    assert result['status'] == 1, result['output']
    assert 'Traceback' not in result['output']
    assert len(re.findall('^error: ', result['output'], re.M)) == 1
    assert re.search(
        r'^error: Writing .* failed: (No space left on device|File too large); .* free there', result['output'], re.M
    )
    assert not [name for name in result['files'] if name.endswith(('.part', '.tmp'))]
    assert 'run/results.json' not in result['files']
    assert result['output'].count('WARNING: The log') <= 1


def test_full_disk_names_the_good_checkpoint_and_the_printed_command_ends_the_run(result: dict[str, Any]) -> None:
    expected = dict(checkpoint='epoch_1.pth', end='epoch_3.pth', log='epoch_1.pth', names='epoch_1.pth')
    assert result['last'] == expected.get(result['name'])
    if result['last'] is None:
        assert 'Go on with' not in result['output']
        return
    assert f'the last checkpoint is {result["last"]}. Go on with: ' in result['output']
    assert result['resumed'] == 0, result['resumed_output']
    assert {'run/results.json', 'run/predictions.npz', 'run/epoch_2.pth', 'run/epoch_3.pth'} <= {*result['files_then']}
    assert 'run/epoch_1.pth' not in result['files_then']


def test_a_disk_without_room_for_one_more_file_says_so(results: dict[str, dict[str, Any]]) -> None:
    if 'names' not in results:
        pytest.skip('nobody may mount a disk here')
    assert 'last_checkpoint failed: No space left on device; no further file' in results['names']['output']


@pytest.mark.distributed
def test_several_processes_end_soon_when_the_first_cannot_save(tmp_path: Path) -> None:
    """Only the first one writes checkpoints; the other waits for it in the next iteration."""
    command = [sys.executable, '-W', 'ignore', ROOT / 'tools/train.py', ROOT / 'configs/drl_r8_digits-lt.py']
    start = time.monotonic()
    answer = subprocess.run(
        [*command, '--gpus', '2', '--device', 'cpu', '--work-dir', 'run', *ARGUMENTS],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=200,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000)),
    )
    assert answer.returncode == 1, answer.stdout
    assert time.monotonic() - start < 120
    assert answer.stdout.count('error: ') == 1
    assert re.search(r'error: Writing .*epoch_1\.pth \(0\.\d MB\) failed: File too large', answer.stdout)
    assert not list((tmp_path / 'run').glob('.*'))
