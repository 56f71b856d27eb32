"""The loops that resume inside an epoch: positions, other batches, other runs, damaged checkpoints."""

import io
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from digits_run import short_config, train
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.config import load_config
from mmdrl.engine.hooks import ProgressHook
from mmdrl.engine.loops.order import rest_of_pass
from mmdrl.engine.loops.position import Position
from mmdrl.engine.loops.randomness import seed_process
from mmdrl.errors import ConfigError, DataError

PASS = 11  # iterations of 32 images that the 331 need
SCHEDULES = Path(__file__).parents[2] / 'configs/_base_/schedules'


def config(folder: Path, epochs: int = 2, interval: int = 4, **changes: Any) -> Config:
    """Epochs of 11 iterations without stages; a checkpoint every ``interval`` iterations."""
    cfg = short_config(folder)
    del cfg.default_hooks.stages
    cfg.train_cfg.max_epochs = epochs
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=interval, max_keep_ckpts=20)
    cfg.log_level = 'INFO'
    cfg.merge_from_dict(changes)
    return cfg


class Witness(Hook):
    """Notes what each iteration sees, and may end the run."""

    priority = 'LOWEST'

    def __init__(self, stop: int | None = None):
        self.stop = stop
        self.seen: list[tuple[int, int, int, list[int]]] = []
        self.sums: list[int] = []

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.sums.append(int(runner.model.head.centroids.sums.counts.sum()))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        images = [sample.sample_idx for sample in data_batch['data_samples']]
        self.seen.append((runner.iter, runner.epoch, batch_idx, images))
        if runner.iter == self.stop:
            raise KeyboardInterrupt

    @property
    def images(self) -> list[int]:
        return [image for *_, images in self.seen for image in images]


def cut(cfg: Config, stop: int, *hooks: Hook) -> Witness:
    witness = Witness(stop)
    with pytest.raises(KeyboardInterrupt):
        train(cfg, witness, *hooks)
    return witness


def resumed(cfg: Config, *hooks: Hook) -> tuple[Any, Witness]:
    witness = Witness()
    cfg.resume = True
    return train(cfg, witness, *hooks), witness


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Witness]:
    witness = Witness()
    return train(config(tmp_path_factory.mktemp('whole') / 'run'), witness), witness


@pytest.fixture(scope='module')
def stopped_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('stopped') / 'run'
    cut(config(folder), 14)
    return folder


@pytest.fixture
def stopped(tmp_path: Path, stopped_once: Path) -> Path:
    """Folder of a run that stopped after 15 iterations, with a checkpoint after 12: 1 of 11 in the second epoch."""
    folder = tmp_path / 'run'
    shutil.copytree(stopped_once, folder)
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_12.pth'))
    return folder


def edit(folder: Path, name: str = 'iter_12.pth', **position: Any) -> None:
    """Change what a checkpoint says of its position."""
    checkpoint = torch.load(folder / name, weights_only=False)
    checkpoint['position'].update(position)
    torch.save(checkpoint, folder / name)


def test_iterations_and_epochs_keep_their_numbers(stopped: Path, whole: tuple[Any, Witness]) -> None:
    runner, witness = resumed(config(stopped))
    assert witness.seen == whole[1].seen[12:]
    assert [entry[:3] for entry in witness.seen[:2]] == [(12, 1, 1), (13, 1, 2)]
    assert (runner.iter, runner.epoch) == (2 * PASS, 2)


def test_centroids_are_those_of_all_images_of_the_interrupted_epoch(stopped: Path, whole: tuple[Any, Witness]) -> None:
    runner, witness = resumed(config(stopped))
    assert witness.sums == [32 * batches for batches in range(1, PASS)]
    expected = whole[0].model.head.centroids
    assert torch.equal(runner.model.head.centroids.centroids, expected.centroids)


def test_skipped_images_are_not_loaded(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmdrl.datasets import LongTailDataset

    loaded: list[tuple[Any, int]] = []
    get = LongTailDataset.whole_batch

    def noted(self: LongTailDataset, positions: Any, seeds: Any = None) -> Any:
        loaded.append((self, len(positions)))
        return get(self, positions, seeds)

    monkeypatch.setattr(LongTailDataset, 'whole_batch', noted)
    runner, _ = resumed(config(stopped))
    assert sum(count for dataset, count in loaded if dataset is runner.train_dataloader.dataset) == 331 - 32


@pytest.mark.parametrize(('interval', 'stop'), [(4, 14), (3, 16), (PASS, 12)])
def test_averages_and_accumulated_gradients_go_on_too(tmp_path: Path, interval: int, stop: int) -> None:
    """Two iterations are a step; the last checkpoint is of iteration 12, 15 or 11, the end of an epoch."""
    changes: dict[str, Any] = {
        'optim_wrapper.accumulative_counts': 2,
        'custom_hooks': [dict(type='EMAHook')],
        'train_cfg.dynamic_intervals': [(2, 1)],
    }
    expected = train(config(tmp_path / 'whole', **changes))
    cut(config(tmp_path / 'run', interval=interval, **changes), stop)
    checkpoint = read_checkpoint(str(tmp_path / 'run' / f'iter_{stop // interval * interval}.pth'))
    assert checkpoint is not None
    assert ('accumulation' in checkpoint) == (interval != 4)
    runner, _ = resumed(config(tmp_path / 'run', interval=interval, **changes))
    for key, value in expected.model.state_dict().items():
        assert torch.equal(runner.model.state_dict()[key], value), key
    ema, wanted = (next(h for h in r.hooks if type(h).__name__ == 'EMAHook').ema_model for r in (runner, expected))
    assert all(torch.equal(value, wanted.state_dict()[key]) for key, value in ema.state_dict().items())


@pytest.mark.parametrize(('is_apart', 'has_stages'), [(True, False), (False, True), (True, True)])
def test_run_with_a_random_seed_keeps_its_order(tmp_path: Path, is_apart: bool, has_stages: bool) -> None:
    """``diff_rank_seed`` makes every sampler draw a seed of its own, which none but the checkpoint knows."""
    stages = [dict(name='one', epochs=2), dict(name='two', epochs=1, sampler=dict(type='DefaultSampler'))]

    def again(**changes: Any) -> Config:
        cfg = short_config(tmp_path / 'run', stages, **changes)
        cfg.randomness = dict(seed=None, diff_rank_seed=is_apart)
        cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=4)
        if not has_stages:
            del cfg.default_hooks.stages
        return cfg

    first = cut(again(), 25)
    for name, missing in (('iter_12.pth', 12), ('iter_24.pth', 24)):
        _, rest = resumed(again(load_from=str(tmp_path / 'run' / name)))
        assert [entry[0] for entry in rest.seen] == list(range(missing, 33))
        assert rest.seen[: 26 - missing] == first.seen[missing:]


@pytest.mark.parametrize(('batch_size', 'behind', 'again'), [(64, 3, 32), (16, 14, 0), (500, 0, 7 * 32)])
def test_other_batches_begin_at_the_last_whole_one(
    tmp_path: Path, whole: tuple[Any, Witness], batch_size: int, behind: int, again: int
) -> None:
    cut(config(tmp_path / 'run', interval=7), 8)
    runner, witness = resumed(config(tmp_path / 'run', interval=7, **{'train_dataloader.batch_size': batch_size}))
    assert witness.images == whole[1].images[7 * 32 - again :]
    assert witness.seen[0][2] == behind
    log = next(Path(runner.log_dir).glob('*.log'))
    text = log.read_text()
    assert f'The total batch was 32 and is {batch_size}' in text
    assert f'from number {behind * batch_size} of the order on come again, 224 have been used' in text


def test_checkpoint_of_a_whole_epoch_begins_the_next(tmp_path: Path, whole: tuple[Any, Witness]) -> None:
    changes = {'default_hooks.checkpoint': dict(type='CheckpointHook', by_epoch=True, interval=1)}
    cut(config(tmp_path / 'run', **changes), 14)
    _, witness = resumed(config(tmp_path / 'run', **changes))
    assert witness.seen == whole[1].seen[PASS:]


def test_epoch_whose_last_batch_is_done_still_ends(tmp_path: Path, whole: tuple[Any, Witness]) -> None:
    """Saved after 11 iterations, before schedule, centroids and validation have met the end of the epoch."""
    cut(config(tmp_path / 'run', interval=PASS), 14)
    runner, witness = resumed(config(tmp_path / 'run', interval=PASS))
    assert witness.seen == whole[1].seen[PASS:]
    state = runner.model.state_dict()
    assert all(torch.equal(state[key], value) for key, value in whole[0].model.state_dict().items())


@pytest.mark.parametrize('loop', [dict(by_epoch=True, max_epochs=2), dict(by_epoch=False, max_iters=20)])
def test_checkpoint_of_another_loop_resumes_as_there(tmp_path: Path, whole: tuple[Any, Witness], loop: dict) -> None:
    cfg = config(tmp_path / 'run')
    cfg.train_cfg = dict(loop, val_interval=100)
    cfg.param_scheduler = None
    cut(cfg, 14)
    cfg = config(tmp_path / 'run')
    by_epoch = loop.pop('by_epoch')
    cfg.train_cfg = dict(type='mmdrl.ResumableEpochLoop' if by_epoch else 'mmdrl.ResumableIterLoop', **loop)
    cfg.param_scheduler = None
    runner, witness = resumed(cfg)
    if by_epoch:
        assert [images for *_, images in witness.seen] == [images for *_, images in whole[1].seen[PASS:]]
    else:
        assert [images for *_, images in witness.seen] == [images for *_, images in whole[1].seen[12:20]]
    assert 'does not say where in the data' in next(Path(runner.log_dir).glob('*.log')).read_text()


def test_weights_alone_bring_no_position(stopped: Path, tmp_path: Path, whole: tuple[Any, Witness]) -> None:
    witness = Witness()
    train(config(tmp_path / 'new', epochs=1, load_from=str(stopped / 'iter_12.pth')), witness)
    assert witness.seen == whole[1].seen[:PASS]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'train_dataloader.dataset.max_count': 100}, r'of 331 images in the order of DefaultSampler.*has 2\d\d'),
        ({'train_dataloader.sampler': dict(type='InfiniteSampler')}, 'DefaultSampler, but.*InfiniteSampler'),
        ({'train_dataloader.drop_last': True}, 'epoch of 11 batches, but those of the run have 10'),
        (
            {'train_cfg': dict(_delete_=True, type='mmdrl.ResumableIterLoop', max_iters=30)},
            'counts epochs, train_cfg has one that counts iterations',
        ),
    ],
)
def test_order_that_cannot_be_continued_is_refused(stopped: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resumed(config(stopped, **changes))


@pytest.mark.parametrize(
    ('position', 'message'),
    [
        (dict(batches=-1), 'batches as int, at least 0, got -1'),
        (dict(batches='3'), "batches as int, at least 0, got '3'"),
        (dict(batches=12), 'inside its epoch of 11 batches, got 12'),
        (dict(by_epoch=1), 'by_epoch as bool, got 1'),
        (dict(seed=0.5), 'seed as int'),
        (dict(sampler=None), 'sampler as str, got None'),
        (dict(epoch=7), 'of epoch 1, but its .* of epoch 7'),
    ],
)
def test_damaged_position_is_a_sentence(stopped: Path, position: dict, message: str) -> None:
    edit(stopped, **position)
    with pytest.raises(DataError, match=message):
        resumed(config(stopped))


@pytest.mark.parametrize('value', [None, 3, [], {}, {'batches': 1}])
def test_what_is_no_position_is_none(value: object) -> None:
    with pytest.raises(DataError, match='position'):
        Position.parse(value)


def test_damaged_seeds_of_stages_are_a_sentence(tmp_path: Path) -> None:
    cfg = short_config(tmp_path / 'run')
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=4)
    cut(cfg, 4)
    checkpoint = torch.load(tmp_path / 'run/iter_4.pth', weights_only=False)
    checkpoint['stages']['seeds'] = [0, 'x', 0]
    torch.save(checkpoint, tmp_path / 'run/iter_4.pth')
    with pytest.raises(DataError, match=r"one seed, or None, for each of 3 stages.*'x'"):
        resumed(short_config(tmp_path / 'run'))


def test_order_that_ends_too_early_is_a_sentence() -> None:
    loader = DataLoader(torch.arange(10), batch_size=3)
    assert [batch.tolist() for batch in rest_of_pass(loader, 2)] == [[6, 7, 8], [9]]
    assert list(rest_of_pass(loader, 4)) == []
    with pytest.raises(DataError, match='after 5 batches, but SequentialSampler gives 4 only'):
        rest_of_pass(loader, 5)


def test_rest_keeps_the_settings_of_the_loader_and_leaves_it_alone() -> None:
    batches = BatchSampler(SequentialSampler(range(10)), 4, drop_last=True)
    loader = DataLoader(torch.arange(10), batch_sampler=batches, num_workers=1, persistent_workers=True, timeout=50)
    list(loader)
    assert [batch.tolist() for batch in rest_of_pass(loader, 1)] == [[4, 5, 6, 7]]
    assert rest_of_pass(loader, 1).timeout == 50
    assert [batch.tolist() for batch in loader] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    single = DataLoader(torch.arange(3), batch_size=None)
    assert [int(sample) for sample in rest_of_pass(single, 1)] == [1, 2]


def numbers() -> list[float]:
    return [random.random(), float(np.random.rand()), float(torch.rand(()))]


def test_random_numbers_depend_on_seed_and_iteration_alone() -> None:
    seed_process(3, 'iteration', 5)
    first = numbers()
    numbers()
    seed_process(3, 'iteration', 5)
    assert numbers() == first
    others = [(3, 'iteration', 6), (4, 'iteration', 5), (3, 'epoch', 5), (5, 'iteration', 3)]
    drawn = [first]
    for key in others:
        seed_process(*key)
        drawn.append(numbers())
    for values in zip(*drawn, strict=True):
        assert len(set(values)) == len(drawn)


def test_bar_begins_where_the_run_resumes(stopped: Path) -> None:
    class Bar(Hook):
        priority = 'LOWEST'
        found: list[tuple[float, float]] = []

        def before_train_epoch(self, runner: Any) -> None:
            task = hook.screen._progress.tasks[0]
            self.found.append((task.completed, task.total))

    hook = ProgressHook(console=Console(file=io.StringIO(), force_terminal=True))
    resumed(config(stopped, epochs=3), hook, Bar())
    assert Bar.found == [(1, PASS), (0, PASS)]


def test_pass_without_a_batch_is_refused(tmp_path: Path) -> None:
    cfg = config(tmp_path / 'run', **{'train_dataloader.batch_size': 400, 'train_dataloader.drop_last': True})
    cfg.train_cfg = dict(type='mmdrl.ResumableIterLoop', max_iters=3)
    with pytest.raises(ConfigError, match='at least one batch'):
        train(cfg)


@pytest.mark.parametrize('batch_size', [16, 64])
def test_last_iteration_is_saved_whatever_the_batches_before_it_were(tmp_path: Path, batch_size: int) -> None:
    cut(config(tmp_path / 'run', interval=7), 8)
    changes = {'train_dataloader.batch_size': batch_size, 'optim_wrapper.accumulative_counts': 2}
    runner, _ = resumed(config(tmp_path / 'run', interval=7, **changes))
    assert (tmp_path / 'run' / f'iter_{runner.iter}.pth').is_file()
    assert runner.iter == runner.max_iters


def test_last_iteration_of_stages_is_saved_too(tmp_path: Path) -> None:
    stages = [
        dict(name='a', epochs=1),
        dict(name='b', epochs=1, sampler=dict(type='mmdrl.PowerSampler', num_samples=99)),
    ]

    def again(batch_size: int) -> Config:
        cfg = short_config(tmp_path / 'run', stages, **{'train_dataloader.batch_size': batch_size})
        cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=8)
        return cfg

    cut(again(32), 9)
    runner, _ = resumed(again(16))
    assert runner.iter == runner.max_iters == 8 + 5 + 7  # 256 of 331 images are 16 of 21 batches
    assert (tmp_path / 'run/iter_20.pth').is_file()


class PowerCut(Hook):
    """Ends the run right before it validates for the n-th time."""

    def __init__(self, turn: int):
        self.turn = turn

    def before_val(self, runner: Any) -> None:
        self.turn -= 1
        if self.turn == 0:
            raise KeyboardInterrupt


class Validations(Hook):
    """Notes when the run validates."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def before_val(self, runner: Any) -> None:
        self.seen.append(runner.iter)


@pytest.mark.parametrize('kind', ['epoch', 'iter'])
@pytest.mark.parametrize(('turn', 'left'), [(1, [11, 22]), (2, [22])])
def test_validation_that_the_end_of_the_run_has_cut_off_is_made_up_for(
    tmp_path: Path, kind: str, turn: int, left: list[int]
) -> None:
    def again() -> Config:
        cfg = config(tmp_path / 'run', interval=PASS)
        if kind == 'iter':
            cfg.train_cfg = dict(type='mmdrl.ResumableIterLoop', max_iters=22, val_interval=11)
        else:
            cfg.train_cfg.val_interval = 1
            cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
        return cfg

    with pytest.raises(KeyboardInterrupt):
        train(again(), PowerCut(turn))
    validations = Validations()
    resumed(again(), validations)
    assert validations.seen == left
    assert (tmp_path / 'run/results.json').is_file()


def test_checkpoint_inside_an_epoch_is_not_validated(tmp_path: Path) -> None:
    """Not even if with larger batches none of this epoch is done."""
    cut(config(tmp_path / 'run', interval=7, **{'train_cfg.val_interval': 1}), 15)
    validations = Validations()
    changes = {'train_cfg.val_interval': 1, 'train_dataloader.batch_size': 200}
    resumed(config(tmp_path / 'run', interval=7, **changes), validations)
    assert validations.seen == [16]


def test_runner_resumed_by_hand_goes_on_inside_the_epoch(stopped: Path, whole: tuple[Any, Witness]) -> None:
    cfg = config(stopped)
    cfg.experiment_name = f'by_hand_{id(cfg)}'
    runner, witness = Runner.from_cfg(cfg), Witness()
    runner.register_hook(witness)
    assert runner.train_loop.iter == 0  # built by looking at it
    runner.resume(str(stopped / 'iter_12.pth'))
    runner.train()
    assert witness.seen == whole[1].seen[12:]
    assert read_checkpoint(str(stopped / 'iter_16.pth'))['position']['batches'] == 5


def write(folder: Path, text: str) -> str:
    path = folder / 'config.py'
    path.write_text(f"_base_ = '{SCHEDULES / 'sgd_50e_digits.py'}'\n{text}\n")
    return str(path)


@pytest.mark.host
def test_config_may_inherit_a_type_and_give_by_epoch(tmp_path: Path) -> None:
    cfg = load_config(write(tmp_path, 'train_cfg = dict(by_epoch=True, max_epochs=7)'))
    assert cfg.train_cfg == dict(type='mmdrl.ResumableEpochLoop', max_epochs=7, val_interval=10)
    for contradiction in ('by_epoch=False', "type='mmdrl.ResumableIterLoop', by_epoch=True"):
        with pytest.raises(ConfigError, match='contradict'):
            load_config(write(tmp_path, f'train_cfg = dict({contradiction})'))


def test_config_may_leave_out_a_hook_that_it_inherits(tmp_path: Path) -> None:
    path = tmp_path / 'c.py'
    path.write_text(
        f"_base_ = ['{SCHEDULES.parents[1]}/drl_r8_digits-lt.py']\ndefault_hooks = dict(stages=None, timer=None)\n"
        "train_cfg = dict(_delete_=True, type='mmdrl.ResumableIterLoop', max_iters=2)\n"
        'param_scheduler = None\nval_cfg = val_dataloader = val_evaluator = None\n'
    )
    runner = train(load_config(str(path), work_dir=str(tmp_path / 'run')))
    assert not {'TwoStageHook', 'IterTimerHook'} & {type(hook).__name__ for hook in runner.hooks}
    assert runner.iter == 2
