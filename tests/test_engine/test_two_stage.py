"""Stages in a real run: what changes at each boundary, what freezes, and resuming."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import STAGES, short_config, train
from mmengine.hooks import Hook

from mmdrl.datasets import ClassAwareSampler
from mmdrl.errors import ConfigError


class Witness(Hook):
    """Notes what each iteration sees."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        model = runner.model
        self.seen.append(
            dict(
                epoch=runner.epoch,
                sampler=type(runner.train_dataloader.sampler).__name__,
                sampler_epoch=getattr(runner.train_dataloader.sampler, 'epoch', None),
                losses=sorted(key for key in outputs if key.startswith('loss')),
                lr=runner.optim_wrapper.get_lr()['lr'][0],
                weight=model.backbone.conv1.weight.detach().clone(),
                bn=model.backbone.bn1.running_mean.clone(),
                fc=model.head.fc.weight.detach().clone(),
                momenta=len(runner.optim_wrapper.optimizer.state),
            )
        )


def watch(cfg: Any) -> list[dict[str, Any]]:
    witness = Witness()
    train(cfg, witness)
    return witness.seen


def epoch_of(seen: list[dict[str, Any]], epoch: int) -> list[dict[str, Any]]:
    return [entry for entry in seen if entry['epoch'] == epoch]


@pytest.fixture(scope='module')
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return watch(short_config(tmp_path_factory.mktemp('stages') / 'run'))


def test_sampler_is_swapped_at_the_boundaries_and_told_the_epoch(seen: list) -> None:
    names = [{entry['sampler'] for entry in epoch_of(seen, epoch)} for epoch in range(5)]
    assert names == [{'DefaultSampler'}] * 2 + [{'ClassAwareSampler'}] * 3
    assert all(entry['sampler_epoch'] == entry['epoch'] for entry in seen)
    assert [len(epoch_of(seen, epoch)) for epoch in (2, 4)] == [128 // 32, 64 // 32]


def test_dr_loss_runs_in_its_stage_only(seen: list) -> None:
    losses = [epoch_of(seen, epoch)[0]['losses'] for epoch in range(5)]
    without, with_dr = ['loss', 'loss_cls'], ['loss', 'loss_cls', 'loss_dr']
    assert losses == [without, without, with_dr, with_dr, without]


def test_frozen_part_neither_learns_nor_updates_batch_statistics(seen: list) -> None:
    before, *frozen = [epoch_of(seen, 3)[-1], *epoch_of(seen, 4)]
    assert all(torch.equal(entry['weight'], before['weight']) for entry in frozen)
    assert all(torch.equal(entry['bn'], before['bn']) for entry in frozen)
    assert not torch.equal(frozen[-1]['fc'], before['fc'])
    assert not torch.equal(epoch_of(seen, 3)[0]['bn'], epoch_of(seen, 3)[-1]['bn'])


def test_schedule_of_the_run_goes_on_where_stages_have_none(seen: list) -> None:
    rates = [epoch_of(seen, epoch)[0]['lr'] for epoch in range(5)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(0.1)


def test_stage_may_have_rate_schedule_and_fresh_head_of_its_own(tmp_path: Path) -> None:
    stages = [
        dict(name='one', epochs=1),
        dict(
            name='two',
            epochs=2,
            lr=0.05,
            param_scheduler=[dict(type='MultiStepLR', milestones=[1], gamma=0.1)],
            reset=['head.fc'],
            freeze=['backbone.*'],
        ),
        dict(name='three', epochs=1, lr=0.02),
    ]
    seen = watch(short_config(tmp_path / 'run', stages))
    rates = [epoch_of(seen, epoch)[0]['lr'] for epoch in range(4)]
    assert rates == pytest.approx([0.1, 0.05, 0.005, 0.02])
    jump = (epoch_of(seen, 1)[0]['fc'] - epoch_of(seen, 0)[-1]['fc']).abs().mean()
    step = (epoch_of(seen, 1)[1]['fc'] - epoch_of(seen, 1)[0]['fc']).abs().mean()
    assert jump > 5 * step
    assert epoch_of(seen, 1)[0]['momenta'] == 2  # fc weight and bias; those of stage one are gone
    assert epoch_of(seen, 3)[0]['momenta'] > 2  # thawed again


class PowerCut(Hook):
    """Ends the run in the middle of an epoch."""

    def __init__(self, epoch: int):
        self.epoch = epoch

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if runner.epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.host
@pytest.mark.parametrize('epoch', [1, 2, 3, 4])
def test_resumed_run_ends_like_the_whole_one(tmp_path: Path, epoch: int) -> None:
    """Before, at and after each boundary: bit for bit, on the CPU, with an interrupted epoch done again."""
    stages = [*STAGES[:2], {**STAGES[2], 'lr': 0.05}]
    whole = train(short_config(tmp_path / 'whole', stages)).model.state_dict()
    with pytest.raises(KeyboardInterrupt):
        train(short_config(tmp_path / 'cut', stages), PowerCut(epoch))
    resumed = train(short_config(tmp_path / 'cut', stages, resume=True))
    assert resumed.epoch == 5
    state = resumed.model.state_dict()
    assert state.keys() == whole.keys()
    assert all(torch.equal(state[key], whole[key]) for key in whole)


def test_resuming_with_other_stages_is_refused(tmp_path: Path) -> None:
    train(short_config(tmp_path / 'run'))
    other = [dict(name='one', epochs=3), dict(name='two', epochs=3)]
    with pytest.raises(ConfigError, match=r'warm-up.*one'):
        train(short_config(tmp_path / 'run', other, resume=True))


def test_log_forgets_losses_of_past_stages(tmp_path: Path) -> None:
    runner = train(short_config(tmp_path / 'run'))
    lines = (Path(runner.log_dir) / 'vis_data/scalars.json').read_text().splitlines()
    epochs = {row['epoch']: row for row in map(json.loads, lines) if 'loss_cls' in row}
    assert [epoch for epoch, row in epochs.items() if 'loss_dr' in row] == [3, 4]


def test_stages_share_one_copy_of_the_data_set(tmp_path: Path) -> None:
    class Keep(Hook):
        datasets: list[object] = []

        def after_train_epoch(self, runner: Any) -> None:
            self.datasets.append(runner.train_dataloader.dataset)

    runner = train(short_config(tmp_path / 'run'), Keep())
    assert isinstance(runner.train_dataloader.sampler, ClassAwareSampler)
    assert len(Keep.datasets) == 5
    assert all(dataset is Keep.datasets[0] for dataset in Keep.datasets)
    assert runner.max_iters == runner.iter


def test_resumed_stage_without_a_schedule_goes_on_with_that_of_the_stage_before(tmp_path: Path) -> None:
    schedule = [dict(type='MultiStepLR', milestones=[1], gamma=0.5)]
    stages = [
        dict(name='a', epochs=1),
        dict(name='b', epochs=2, lr=0.01, param_scheduler=schedule),
        dict(name='c', epochs=2),
    ]
    whole = watch(short_config(tmp_path / 'whole', stages))
    with pytest.raises(KeyboardInterrupt):
        train(short_config(tmp_path / 'cut', stages), PowerCut(4))
    witness = Witness()
    train(short_config(tmp_path / 'cut', stages, resume=True), witness)
    assert [entry['lr'] for entry in witness.seen] == [entry['lr'] for entry in epoch_of(whole, 4)]
    assert epoch_of(whole, 4)[0]['lr'] == pytest.approx(0.005)


def test_gradients_of_an_unfinished_accumulation_do_not_move_frozen_parts(tmp_path: Path) -> None:
    stages = [dict(name='a', epochs=1), dict(name='b', epochs=1, freeze=['backbone'])]
    cfg = short_config(tmp_path / 'run', stages)
    cfg.optim_wrapper.accumulative_counts = 4  # 11 iterations: the last three are left over
    seen = watch(cfg)
    assert torch.equal(epoch_of(seen, 1)[-1]['weight'], epoch_of(seen, 0)[-1]['weight'])
