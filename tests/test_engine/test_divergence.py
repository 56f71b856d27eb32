"""A run that diverges ends with one sentence, status 1, and the checkpoints it had."""

from pathlib import Path
from typing import Any

import pytest
import torch
from command import ROOT, tool
from digits_run import short_config, train
from mmengine.hooks import Hook

from mmdrl.errors import DivergenceError


@pytest.mark.slow
@pytest.mark.parametrize('config', ['drl_r8_digits-lt.py', 'ce_r8_digits-lt.py'])
def test_tool_ends_with_the_remedy_and_status_1(tmp_path: Path, config: str) -> None:
    options = ['train_cfg.max_epochs=50', 'optim_wrapper.optimizer.lr=1e6', 'default_hooks.summary.figures=False']
    answer = tool('train', ROOT / 'configs' / config, '--gpus', 0, '--cfg-options', *options, cwd=tmp_path)
    assert answer.returncode == 1, answer.stdout
    assert 'Traceback' not in answer.stdout
    last = answer.stdout.splitlines()[-1]
    assert last.startswith('error: Training has diverged: the features of layer -1 are not finite for a sample of')
    assert 'Lower the learning rate' in last
    for path in tmp_path.rglob('*.pth'):
        saved = torch.load(path, map_location='cpu', weights_only=False)['state_dict']
        assert saved['head.centroids.centroids'].isfinite().all()


@pytest.mark.slow
@pytest.mark.distributed
def test_no_process_waits_for_one_that_has_diverged(tmp_path: Path) -> None:
    options = ['optim_wrapper.optimizer.lr=1e6', 'default_hooks.summary.figures=False']
    config = ROOT / 'configs/drl_r8_digits-lt.py'
    answer = tool('train', config, '--gpus', 2, '--device', 'cpu', '--cfg-options', *options, cwd=tmp_path)
    assert answer.returncode == 1, answer.stdout
    assert 'Traceback' not in answer.stdout
    assert answer.stdout.count('error: Training has diverged: the features of layer -1') == 2


class NotedOnly(Hook):
    """Makes the head behave as on an accelerator: it notes what it sees and does not look."""

    priority = 'VERY_HIGH'

    def before_train(self, runner: Any) -> None:
        head = runner.model.head
        look, head.check_divergence = head.check_divergence, lambda: None
        self.restore = lambda: setattr(head, 'check_divergence', look)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.iter == 12:  # the first iteration of the second epoch is 11
            self.restore()
        if runner.iter == 11:
            runner.model.backbone.layer3[0].bn2.weight.data.fill_(float('nan'))


def test_hook_stops_what_the_training_step_has_only_noted(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=2)])
    cfg.model.head.dr_loss = None  # on the CPU it would look for itself
    with pytest.raises(DivergenceError, match='layer -1'):
        train(cfg, NotedOnly())
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == ['epoch_1.pth']
