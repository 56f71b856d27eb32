"""What a user types: the commands of docs/mim.md, and others, from an empty folder."""

import json
import re
import shlex
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
import torch
from command import ROOT, SHORT_DIGITS, mim
from miniature import make_imagenet_lt

from mmdrl.engine.checkpoints import read_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.host]

PAGE = (ROOT / 'docs/mim.md').read_text(encoding='utf-8')
COMMANDS = re.findall(r'^mim .*', re.findall(r'^```\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)[0], re.MULTILINE)
# What the output must hold, by how the command begins; the last one that fits counts.
SHOWN = {
    'mim': '',
    'mim train': 'Training finished successfully',
    'mim gridsearch': 'lr_0.05 finished successfully',
    'mim run mmdrl compare_runs': 'Runs side by side',
    'mim run mmdrl describe drl': 'ClassAwareSampler(samples_per_class=4)',
    'mim run mmdrl class_stats': 'imbalance ratio',
    'mim run mmdrl figures': 'class_accuracy, group_confusion',
    'mim run mmdrl report': 'Report: work_dirs/report/report.html',
    'mim run mmdrl representation': 'nearest class mean',
    'mim run mmdrl rebalance': 'Written: balanced.pth',
    'mim run mmdrl describe -- -h': '--json FILE',
    'mim search mmdrl --valid-config': "'drl_r8_digits-lt-ir50'",
    'mim search mmdrl --config': 'configs/digits_lt/drl_r8_digits-lt-ir50.py',
    'mim search mmdrl --dataset': 'config id: drl_r8_digits-lt-ir50',
    'mim list': 'mmdrl',
}
NO_FILE_NAMES = any(found.metadata['Name'] == 'onedl-mim' for found in metadata.distributions())


def typed(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the page, shortened: fewer images and epochs, and nothing is fetched."""
    words = shlex.split(command.replace('epoch_50', 'epoch_3'))[1:]
    if NO_FILE_NAMES and words[0] in ('train', 'test', 'gridsearch'):  # as the page says
        words[2] = str(ROOT / 'configs' / words[2])
    if words[0] in ('train', 'gridsearch') or words[2:3] == ['train']:
        words += ['--cfg-options', *SHORT_DIGITS, 'default_hooks.summary.figures=False']
    if 'prepare_data' in words:
        words += ['--mirror', 'http://127.0.0.1:9', '--retries', '0']
    return mim(*words, cwd=cwd)


def test_every_command_of_the_page_works_as_typed(tmp_path: Path) -> None:
    outputs = {}
    for command in COMMANDS:
        answer = outputs[command] = typed(command, tmp_path)
        if 'prepare_data' in command:
            assert 'error: cifar100:' in answer.stdout
            continue
        assert answer.returncode == 0, f'{command}\n{answer.stdout}'
        assert [text for start, text in SHOWN.items() if command.startswith(start)][-1] in answer.stdout, command
    folder = tmp_path / 'work_dirs/drl_r8_digits-lt'
    metrics = json.loads((folder / 'results.json').read_text())['metrics']
    tested = next(answer for command, answer in outputs.items() if command.startswith('mim test'))
    assert f'{metrics["ncm/all"]:.1f}' in tested.stdout
    rates = {
        json.loads(next(run.glob('*/vis_data/scalars.json')).open().readline())['lr'] for run in searched(tmp_path)
    }
    assert len(rates) == 2
    assert json.loads((tmp_path / 'metrics.json').read_text())['all'] >= 0
    tools = {path.stem for path in (ROOT / 'tools').rglob('*.py') if 'dev' not in path.parts and is_tool(path)}
    of_others = {'publish_model', 'predict', 'export'}  # in tests and pages of their own
    assert tools - of_others == {command.split()[3] for command in COMMANDS if command.startswith('mim run')}


def searched(folder: Path) -> list[Path]:
    return sorted((folder / 'work_dirs').glob('lr_search_*'))


def is_tool(path: Path) -> bool:
    return "__name__ == '__main__'" in path.read_text()


def test_every_command_in_the_tables_of_the_page_is_one_of_its_commands() -> None:
    named = set(re.findall(r'^\| `mim (\w+)', PAGE, re.MULTILINE))
    assert named - {'download'} == {command.split()[1] for command in COMMANDS}


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        ('run mmdrl describe drl_r8_digit-lt.py', PAGE.partition('```text\n')[2].partition('\n```')[0]),
        ('download mmdrl --config drl_r8_digits-lt-ir50 --dest x', 'weight'),
    ],
)
def test_command_that_cannot_work_fails_as_the_page_says(tmp_path: Path, command: str, message: str) -> None:
    answer = mim(*command.split(), cwd=tmp_path)
    assert answer.returncode == 1
    assert message in answer.stdout


@pytest.mark.distributed
def test_imagenet_lt_flagship_trains_on_two_cpu_processes(tmp_path: Path) -> None:
    """Three iterations, one in each stage, on 1000 classes of 64-pixel noise."""
    root = make_imagenet_lt(tmp_path / 'imagenet')
    options = [
        *(f'{part}_dataloader.dataset.data_root={root}' for part in ('train', 'val', 'test')),
        *(f'{part}_dataloader.dataset.check_numbers=False' for part in ('train', 'val', 'test')),
        *(f'{part}_dataloader.num_workers=0' for part in ('train', 'val', 'test')),
        'train_dataloader.batch_size=2',
        'train_dataloader.num_batch_per_epoch=1',
        'train_cfg.max_epochs=3',
        *(f'default_hooks.stages.stages.{stage}.epochs=1' for stage in range(3)),
        *(f'default_hooks.stages.stages.{stage}.sampler.num_samples=4' for stage in (1, 2)),
    ]
    answer = mim(
        *('train', 'mmdrl', 'configs/drl_r50_imagenet-lt.py', '--gpus', 2, '--device', 'cpu'),
        *('--work-dir', tmp_path / 'run', '--cfg-options', *options),
        cwd=ROOT,
    )
    assert answer.returncode == 0, answer.stdout
    assert '2 x cpu' in answer.stdout
    assert 'loss_dr' in answer.stdout
    state = read_checkpoint(str(tmp_path / 'run/epoch_3.pth'))['state_dict']
    assert state['head.class_counts'].tolist() == [3] * 10 + [1] * 990
    assert state['head.centroids.centroids'].shape == (1000, 2048)


@pytest.mark.skipif(torch.cuda.is_available(), reason='speaks of a machine without GPUs')
def test_mims_default_of_one_gpu_ends_with_the_way_out(tmp_path: Path) -> None:
    answer = mim('train', 'mmdrl', ROOT / 'configs/drl_r8_digits-lt.py', cwd=tmp_path)
    assert answer.returncode != 0
    assert 'error: Expected 1 GPU for --gpus 1, this machine has 0. Use --gpus 0' in answer.stdout
    assert not list(tmp_path.iterdir())


def test_more_processes_started_by_torchs_launcher_train_too(tmp_path: Path) -> None:
    config = ROOT / 'configs/drl_r8_digits-lt.py'
    answer = mim(
        *('train', 'mmdrl', config, '--launcher', 'pytorch', '--gpus', 2, '--cfg-options', *SHORT_DIGITS),
        cwd=tmp_path,
        CUDA_VISIBLE_DEVICES='',
    )
    assert answer.returncode == 0, answer.stdout
    assert '2 x cpu' in answer.stdout
