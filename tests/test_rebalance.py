"""The rebalancing tool as a user types it."""

import json
from pathlib import Path

import pytest
import torch
from command import ROOT, SHORT_DIGITS, mim, tool
from refusals import command

CONFIG = ROOT / 'configs/drl_r8_digits-lt.py'
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('trained')
    answer = tool('train', CONFIG, '--gpus', 0, '--work-dir', 'run', '--cfg-options', *SHORT_DIGITS, cwd=folder)
    assert answer.returncode == 0, answer.stdout
    return folder / 'run/epoch_3.pth'


def rows(text: str) -> dict[str, list[str]]:
    """Cells of the lines of a table, by the first one."""
    lines = [[cell.strip() for cell in line.split('│')[1:-1]] for line in text.splitlines()]
    return {cells[0]: cells[1:] for cells in lines if len(cells) > 1}


def test_tool_tries_chooses_and_saves_what_testing_then_measures(checkpoint: Path, tmp_path: Path) -> None:
    answer = tool(
        *('analysis/rebalance', CONFIG, checkpoint, '--device', 'cpu', '--choose', 'mean'),
        *('--tau-norm', 0.5, 1, '--logit-adjustment', 1, '--out', 'new/best.pth', '--json', 'new/numbers.json'),
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stdout
    table = rows(answer.stdout)
    names = [name.removesuffix(' *') for name in table]
    assert names == ['plain', 'tau-norm 0.5', 'tau-norm 1', 'logit-adjustment 1', 'ncm-euclidean', 'ncm-cosine']
    best = next(name for name in table if name.endswith(' *'))
    assert float(table[best][-1]) == max(float(cells[-1]) for cells in table.values())
    assert 'on the test images, so its accuracy on them is optimistic' in answer.stdout
    assert not (tmp_path / 'work_dirs').exists()
    numbers = json.loads((tmp_path / 'new/numbers.json').read_text())
    assert numbers['held_out'] == dict(images=500, shows_test_images=True)
    assert numbers['centroids'] == 'checkpoint'
    assert [f'{rule[group]:.1f}' for rule in numbers['rules'] for group in ('many', 'mean')] == [
        cells[column] for cells in table.values() for column in (0, -1)
    ]
    record = torch.load(tmp_path / 'new/best.pth', weights_only=True)['meta']['rebalance']
    assert {key: record[key] for key in ('rule', 'strength')} == numbers['chosen']
    answer = tool('test', CONFIG, 'new/best.pth', '--gpus', 0, '--out', 'metrics.json', cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    assert [f'{metrics[group]:.1f}' for group in ('many', 'medium', 'few', 'all')] == table[best][:-1]


@pytest.mark.host
def test_mim_runs_the_tool_with_an_option_of_the_config(checkpoint: Path, tmp_path: Path) -> None:
    answer = mim(
        *('run', 'mmdrl', 'rebalance', CONFIG, checkpoint, '--tau-norm', '--ncm', '--logit-adjustment', 0.5),
        *('--cfg-options', 'test_dataloader.dataset.seed=1'),
        cwd=tmp_path,
    )
    assert answer.returncode == 0, answer.stdout
    assert {name.removesuffix(' *') for name in rows(answer.stdout)} == {'plain', 'logit-adjustment 0.5'}
    assert 'optimistic' not in answer.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{0}', '--device', 'cuda'], 'error: Expected a GPU for --device cuda, this machine has none.'),
        (['nowhere.pth'], 'error: Expected a checkpoint at nowhere.pth, found none.'),
        (
            ['{0}', '--tau-norm', '-1'],
            'error: The strength of tau-norm must be a finite number, not negative, got -1.0.',
        ),
        (['{0}', '--out', '{0}'], 'error: --out {0} would overwrite {0}. Give it another name.'),
        (['{0}', '--json', '{0}'], 'error: --json {0} would overwrite {0}. Give it another name.'),
        (['{0}', '--out', 'a', '--json', './a'], 'error: --json a would overwrite a. Give it another name.'),
        (['{0}', '--out', '.'], 'error: Expected --out to name a file, got the folder .'),
    ],
)
def test_mistake_ends_in_a_sentence(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    before = checkpoint.read_bytes()
    words = [word.format(checkpoint) for word in arguments]
    status, text = command('analysis/rebalance', CONFIG, *words, cwd=tmp_path)
    assert status == 1
    assert text.splitlines()[-1].startswith(message.format(checkpoint))
    assert 'Traceback' not in text
    assert checkpoint.read_bytes() == before
