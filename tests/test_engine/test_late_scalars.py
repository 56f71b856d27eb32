"""Values of the log that are read late: what anybody finds is what MMEngine's own hub holds, bit for bit."""

import copy
import pickle
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import torch
from digits_run import short_config, train
from mmengine.hooks import Hook
from mmengine.hooks import RuntimeInfoHook as HostRuntimeInfoHook
from mmengine.logging import HistoryBuffer, MessageHub

from mmdrl.engine import late_scalars
from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.hooks import RuntimeInfoHook


@pytest.fixture
def as_on_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors on the CPU are kept as those on an accelerator."""
    monkeypatch.setattr(
        late_scalars, '_is_on_device', lambda value: isinstance(value, torch.Tensor) and value.numel() == 1
    )


class OfHub:
    """As much of a runner as the hook asks for."""

    def __init__(self) -> None:
        self.message_hub = MessageHub.get_instance(uuid4().hex)


def both() -> tuple[OfHub, OfHub]:
    return OfHub(), OfHub()


def log(runner: Any, hook: HostRuntimeInfoHook, outputs: dict[str, Any]) -> None:
    hook.after_train_iter(runner, 0, outputs=outputs)


KINDS = [
    lambda number: torch.tensor(number, dtype=torch.float32),
    lambda number: torch.tensor([number], dtype=torch.float64, requires_grad=True),
    lambda number: torch.tensor(number, dtype=torch.bfloat16),
    lambda number: torch.tensor(int(number * 10)),
    lambda number: torch.tensor(number > 0),
    lambda number: float(number),
    lambda number: int(number * 10),
    lambda number: np.float32(number),
    lambda number: np.array([number]),
]


@pytest.mark.parametrize('seed', range(20))
def test_whatever_is_logged_and_whenever_it_is_looked_at_the_hub_is_that_of_the_host(
    seed: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Names come and go, types change, numbers are not finite, others log too, and somebody looks now and then."""
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(late_scalars, 'MOST', int(rng.integers(1, 12)))
    if seed % 3:
        request.getfixturevalue('as_on_device')
    (host, ours), hooks = both(), (HostRuntimeInfoHook(), RuntimeInfoHook())
    own_kind = seed % 2 == 0  # one type for each name, as losses have, or any
    for _ in range(25):
        names = [name for name in 'abcde' if rng.random() < 0.6]
        kinds = [KINDS[ord(name) % 5 if own_kind else rng.integers(len(KINDS))] for name in names]
        numbers = [float(rng.choice([rng.normal(), np.nan, np.inf], p=[0.9, 0.05, 0.05])) for _ in names]
        outputs = {}
        for name, kind, number in zip(names, kinds, numbers, strict=True):
            try:
                outputs[name] = kind(number)
            except (OverflowError, ValueError):  # no whole number is infinite
                outputs[name] = kind(0.5)
        for runner, hook in zip((host, ours), hooks, strict=True):
            log(runner, hook, outputs)
        if rng.random() < 0.2:
            for runner in (host, ours):
                runner.message_hub.update_scalar('train/a', 0.25)
        if rng.random() < 0.1:
            for runner in (host, ours):
                runner.message_hub.log_scalars.pop('train/b', None)  # as when a stage begins
        if rng.random() < 0.1:
            for runner in (host, ours):  # as when a run resumes
                runner.message_hub.load_state_dict(runner.message_hub.state_dict())
        key = f'train/{names[0]}' if names else ''
        if rng.random() < 0.2 and key in host.message_hub.log_scalars:
            means = [runner.message_hub.get_scalar(key).statistics('mean', 3) for runner in (host, ours)]
            assert means[0] == means[1] or np.isnan(means).all()
    saved = [pickle.dumps(copy.deepcopy(runner.message_hub.state_dict())) for runner in (host, ours)]
    assert saved[0] == saved[1]
    assert all(type(history) is HistoryBuffer for history in pickle.loads(saved[1])['log_scalars'].values())


def test_logging_reads_nothing_from_the_device_and_looking_does() -> None:
    runner = OfHub()
    for _ in range(3):
        log(runner, RuntimeInfoHook(), dict(loss=torch.empty((), device='meta'), top=torch.empty(1, device='meta')))
    with pytest.raises((NotImplementedError, RuntimeError)):
        runner.message_hub.get_scalar('train/loss').current()


def test_value_that_is_computed_on_afterwards_is_logged_as_it_was(as_on_device: None) -> None:
    runner, loss = OfHub(), torch.tensor(2.0)
    log(runner, RuntimeInfoHook(), dict(loss=loss))
    loss.mul_(3)
    assert runner.message_hub.get_scalar('train/loss').current() == 2


def test_memory_of_what_nobody_looks_at_is_bounded_and_free_of_graphs(as_on_device: None) -> None:
    runner, weight = OfHub(), torch.ones((), requires_grad=True)
    for _ in range(late_scalars.MOST + 7):
        log(runner, RuntimeInfoHook(), dict(loss=weight * 2))
    waiting = late_scalars._OF_HUB[runner.message_hub]._waiting
    assert len(waiting) == 7
    assert not any(values.requires_grad for _, values in waiting)


@pytest.mark.parametrize('value', ['text', torch.ones(2), None])
def test_what_is_no_number_is_refused_as_the_host_does(value: Any) -> None:
    for hook in (HostRuntimeInfoHook(), RuntimeInfoHook()):
        with pytest.raises(AssertionError):
            log(OfHub(), hook, dict(loss=value))


class Look(Hook):
    """Some hook of a user's, which looks at the log in the middle of an epoch."""

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if batch_idx == 4:
            self.seen = runner.message_hub.get_scalar('train/loss').data[0].tolist()


@pytest.mark.host
@pytest.mark.parametrize('way', ['cpu', 'accelerator'])
def test_checkpoints_of_a_run_hold_the_log_of_the_host(
    tmp_path: Path, way: str, request: pytest.FixtureRequest
) -> None:
    """Stages, whose losses differ, a save inside an epoch, and one more run that resumes from there."""
    stages = [dict(name='warm-up', epochs=1, loss_weights=dict(loss_dr=0.0)), dict(name='rest', epochs=1)]
    saved, seen = [], []
    if way == 'accelerator':
        request.getfixturevalue('as_on_device')
    for kind in ('RuntimeInfoHook', 'mmdrl.RuntimeInfoHook'):
        histories = []
        for begin in (None, 'iter_14.pth'):
            cfg = short_config(tmp_path / f'{kind}{begin}', stages)
            cfg.default_hooks.runtime_info.type = kind
            cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=7)
            cfg.default_hooks.logger.interval = 3
            cfg.optim_wrapper.clip_grad = dict(max_norm=1.0)
            if begin:
                cfg.load_from, cfg.resume = str(tmp_path / f'{kind}None' / begin), True
            look = Look()
            train(cfg, look)
            seen.append(getattr(look, 'seen', None))
            for path in sorted(Path(cfg.work_dir).glob('iter_*.pth')):
                hub = read_checkpoint(str(path))['message_hub']
                histories.append(
                    [
                        (name, [] if 'time' in name else [part.tobytes() for part in history.data])
                        for name, history in hub['log_scalars'].items()
                    ]
                )
        saved.append(histories)
    assert saved[0] == saved[1]
    assert len(saved[0]) > 3
    assert seen[:2] == seen[2:]
