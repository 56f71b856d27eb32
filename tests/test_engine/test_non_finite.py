"""Numbers that go bad in a training step: the run stops and says where, or the batch leaves no trace."""

import json
import math
import weakref
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from digits_run import short_config, train
from forks import Forks
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from numbers_gone_bad import POISONED, SKIP, SpoiltGradient, poisoned
from sklearn.datasets import load_digits
from torch import Tensor, nn

from mmdrl.engine.checkpoints import read_checkpoint
from mmdrl.engine.guarded_step import GuardedStep
from mmdrl.engine.hooks import NonFiniteHook
from mmdrl.engine.telling_sum import telling_sum
from mmdrl.errors import ConfigError, DataError, DivergenceError
from mmdrl.registry import OPTIM_WRAPPERS

pytestmark = pytest.mark.faults


@OPTIM_WRAPPERS.register_module()
class ScaledOnCPU(OptimWrapper):
    """What MMEngine's ``AmpOptimWrapper`` does, with torch's scaler of losses for the CPU."""

    def __init__(self, init_scale: float, **settings: Any):
        super().__init__(**settings)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=init_scale)

    def backward(self, loss: Tensor, **settings: Any) -> None:
        self.loss_scaler.scale(loss).backward(**settings)
        self._inner_count += 1

    def step(self, **settings: Any) -> None:
        self.loss_scaler.step(self.optimizer, **settings)
        self.loss_scaler.update()


def refusal(cfg: Config, *hooks: Hook) -> str:
    with pytest.raises(DivergenceError) as caught:
        train(cfg, *hooks)
    return str(caught.value)


def log_of(cfg: Config) -> str:
    return ''.join(path.read_text() for path in Path(cfg.work_dir).rglob('*.log'))


# What the run says when it stops


def test_image_that_holds_nan_is_named_by_its_number_and_class(tmp_path: Path) -> None:
    said = refusal(poisoned(tmp_path / 'run', POISONED))
    assert 'at iteration 1 (epoch 1): pixels are nan or infinite in image 418 of the data of class 5. Mend' in said
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_image_that_the_network_would_not_notice_is_named_too(tmp_path: Path) -> None:
    class Hide(Hook):
        def before_train(self, runner: Any) -> None:
            runner.model.backbone.register_forward_pre_hook(lambda _, images: (images[0].nan_to_num(),))

    assert 'pixels are nan or infinite in image 418' in refusal(poisoned(tmp_path / 'run', POISONED), Hide())


@pytest.mark.parametrize('head', ['mmdrl.DRHead', 'LinearClsHead'])
def test_image_file_that_holds_nan_is_named_by_its_path_and_class(tmp_path: Path, head: str) -> None:
    digits = load_digits()
    rows = []
    for number, (image, label) in enumerate(zip(digits.images[:64], digits.target[:64], strict=True)):
        if number in (20, 45):
            image = np.where(image == image.max(), math.inf if number == 20 else math.nan, image)
        cv2.imwrite(str(tmp_path / f'{number}.tiff'), image.astype(np.float32))
        rows.append(f'{number}.tiff {label}\n')
    (tmp_path / 'list.txt').write_text(''.join(rows))
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=1)])
    cfg.train_dataloader.sampler.shuffle = False
    cfg.train_dataloader.dataset = dict(
        type='mmdrl.ImageListDataset',
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=str(tmp_path),
        classes=[f'digit {label}' for label in range(10)],
        pipeline=[dict(type='LoadImageFromFile', color_type='unchanged'), dict(type='PackInputs')],
    )
    if head != 'mmdrl.DRHead':
        cfg.model.head = dict(type=head, num_classes=10, in_channels=64, loss=dict(type='CrossEntropyLoss'))
        cfg.val_evaluator = dict(type='Accuracy')
    said = refusal(cfg)
    one = digits.target[20]
    assert f'infinite in {tmp_path}/20.tiff of class {one} (digit {one}). Mend' in said


def test_sample_that_a_layer_cannot_bear_is_told_from_the_others(tmp_path: Path) -> None:
    """The pixel is a number, but its square is none; training would go on with a variance that is infinite."""
    cfg = poisoned(tmp_path / 'run', POISONED, value=3e38, **SKIP, **{'default_hooks.non_finite.max_skipped': 1})
    train(cfg)
    assert 'pixels are' not in log_of(cfg)
    said = 'is too large to be squared for 1 of 32 samples: image 418 of the data of class 5'
    assert f'iteration 1 (epoch 1), number 1 of the run: the output of backbone.conv1 {said}' in log_of(cfg)
    assert f'(epoch 1): the output of backbone.conv1 {said}' in refusal(poisoned(tmp_path / 'b', POISONED, value=3e38))


@pytest.mark.parametrize('clip', [False, True])
@pytest.mark.parametrize('factor', [math.inf, math.nan])
def test_only_the_parameter_whose_gradient_is_not_finite_is_named(tmp_path: Path, clip: bool, factor: float) -> None:
    cfg = poisoned(tmp_path / 'run', epochs=1)
    cfg.optim_wrapper.clip_grad = dict(max_norm=1.0) if clip else None
    said = refusal(cfg, SpoiltGradient(3, factor=factor))
    assert 'iteration 4 (epoch 1): the gradient of backbone.layer1.0.conv2.weight is not finite, for the batch' in said


def test_rate_that_is_too_high_leaves_the_last_good_weights(tmp_path: Path) -> None:
    class Watch(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            self.model = runner.model

    watch = Watch()
    cfg = poisoned(tmp_path / 'run', **{'optim_wrapper.optimizer.lr': 1e6})
    assert 'Lower the learning rate' in refusal(cfg, watch)
    assert all(parameter.isfinite().all() for parameter in watch.model.parameters())


@pytest.mark.parametrize('action', ['stop', 'skip'])
def test_weight_that_is_infinite_is_named_and_ends_the_run_at_once(tmp_path: Path, action: str) -> None:
    class Spoil(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.iter == 5:
                runner.model.head.fc.weight.data[1, 1] = math.inf

    said = refusal(poisoned(tmp_path / 'run', **{'default_hooks.non_finite.action': action}), Spoil())
    assert 'at iteration 6 (epoch 1): head.fc.weight, a weight, was not finite before the step' in said


def test_temperature_that_leaves_no_number_is_said_of_the_loss(tmp_path: Path) -> None:
    said = refusal(poisoned(tmp_path / 'run', **{'model.head.dr_loss.temperature': 1e-38}))
    assert 'at iteration 1 (epoch 1): the DR loss of layer -1 cannot be computed: ' in said
    assert 'temperature is 1e-38, margin 2, the largest value in use 2.' in said
    assert said.count('learning rate') == 1


def test_all_batches_of_an_accumulation_are_named(tmp_path: Path) -> None:
    cfg = poisoned(tmp_path / 'run', **{'optim_wrapper.accumulative_counts': 3})
    said = refusal(cfg, SpoiltGradient(4))
    assert 'iteration 6 (epoch 1): the gradient of backbone.layer1.0.conv2.weight is not finite' in said
    assert 'and 93 more, which the log names' in said
    named = next(line for line in log_of(cfg).splitlines() if 'Samples of iteration 6' in line)
    assert named.count('image ') == 96


def test_waiting_gradient_that_is_not_finite_is_not_saved(tmp_path: Path) -> None:
    cfg = poisoned(tmp_path / 'run', **{'optim_wrapper.accumulative_counts': 3})
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=5)
    said = refusal(cfg, SpoiltGradient(4))
    assert 'the gradient of backbone.layer1.0.conv2.weight is not finite, and no checkpoint of it' in said
    assert not list((tmp_path / 'run').glob('*.pth'))


# A batch that is left out


class Before(Hook):
    """Keeps everything that an iteration can change, and tells which iterations have changed nothing."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.compared: list[int] = []
        self.changed: list[int] = []

    def state(self, runner: Any) -> list[tuple[str, Tensor]]:
        parts = [*runner.model.named_parameters(), *runner.model.named_buffers()]
        for number, entry in runner.optim_wrapper.optimizer.state_dict()['state'].items():
            parts += [(f'{number} {key}', value) for key, value in entry.items() if isinstance(value, Tensor)]
        parts += [(f'{name}.grad', p.grad) for name, p in runner.model.named_parameters() if p.grad is not None]
        return [(name, value.detach().clone()) for name, value in parts]

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.before = self.state(runner)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        now = self.state(runner)
        is_same = [name for name, _ in now] == [name for name, _ in self.before] and all(
            torch.equal(one, other) for (_, one), (_, other) in zip(now, self.before, strict=True)
        )
        self.compared.append(runner.iter) if is_same else self.changed.append(runner.iter)


@pytest.mark.parametrize('mode', ['running', 'ema'])
def test_batch_left_out_leaves_everything_bit_for_bit(tmp_path: Path, mode: str) -> None:
    changes = {'model.head.centroids.mode': mode, 'default_hooks.logger.interval': 1, 'log_level': 'INFO'}
    cfg = poisoned(tmp_path / 'run', POISONED, **changes, **SKIP)
    cfg.optim_wrapper.clip_grad = dict(max_norm=100.0)
    before, average = Before(), EMAHook()
    runner = train(cfg, before, SpoiltGradient(4), average)
    bad = [0, 4, 13]  # the image, a gradient, the image in the second epoch
    assert before.compared == bad
    assert len(before.changed) == 22 - len(bad)
    for values in (*runner.model.state_dict().values(), *average.ema_model.state_dict().values()):
        assert values.isfinite().all()
    for history in runner.message_hub.log_scalars.values():  # what the smoothed losses are made of
        assert np.isfinite(history.data[0]).all()
    rows = [json.loads(line) for path in (tmp_path / 'run').rglob('scalars.json') for line in path.open()]
    assert [row['skipped'] for row in rows if 'skipped' in row] == [1, 2, 3]
    assert all(math.isfinite(row['loss']) for row in rows if 'loss' in row)
    results = json.loads((tmp_path / 'run/results.json').read_text())
    assert results['skipped_batches'] == 3
    assert results['skipped_images'] == ['image 418 of the data of class 5']
    log = log_of(cfg)
    assert log.count('pixels are nan or infinite in image 418') == 1
    assert log.count('3 batches were left out') == 1


def test_too_many_batches_in_a_row_end_the_run(tmp_path: Path) -> None:
    cfg = poisoned(tmp_path / 'run', **SKIP, **{'default_hooks.non_finite.max_skipped': 2})
    said = refusal(cfg, SpoiltGradient(1, 2, 4, 5, 6))
    assert '3 batches in a row would be left out, and at most max_skipped=2 may be' in said
    assert 'iteration 7 (epoch 1): the gradient of' in said


def test_count_goes_on_in_a_resumed_run(tmp_path: Path) -> None:
    class Stop(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.iter == 12:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(poisoned(tmp_path / 'run', POISONED, **SKIP), Stop())
    assert read_checkpoint(str(tmp_path / 'run/epoch_1.pth'))['message_hub']['runtime_info']['skipped_batches'] == 1
    cfg = poisoned(tmp_path / 'run', POISONED, resume=True, **SKIP)
    train(cfg)
    assert json.loads((tmp_path / 'run/results.json').read_text())['skipped_batches'] == 2
    assert 'pixels of images named before' in log_of(cfg)


@pytest.mark.parametrize('place', [3, 5])
def test_gradients_of_the_other_batches_of_an_accumulation_make_the_step(tmp_path: Path, place: int) -> None:
    """Of batches 3 to 5, the first or the last is left out; the oracle is torch's SGD on the others' gradients."""

    class Oracle(Hook):
        priority = 'VERY_LOW'

        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.iter == place:
                data_batch['inputs'][3] = data_batch['inputs'][3].float().fill_(math.nan)
                data_batch['inputs'] = [image.float() for image in data_batch['inputs']]
            if runner.iter == 5:
                self.before = (
                    deepcopy(list(runner.model.parameters())),
                    [None if p.grad is None else p.grad.clone() for p in runner.model.parameters()],
                )
                self.state = deepcopy(runner.optim_wrapper.optimizer.state_dict())

        def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
            if runner.iter == 5 and place == 5:
                parameters, gradients = self.before
                optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=5e-4)
                optimizer.load_state_dict(self.state)
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient
                optimizer.step()
                self.is_same = all(map(torch.equal, parameters, runner.model.parameters()))
                assert all(p.grad is None for p in runner.model.parameters())

    oracle, before = Oracle(), Before()
    cfg = poisoned(tmp_path / 'run', epochs=1, **{'optim_wrapper.accumulative_counts': 3}, **SKIP)
    train(cfg, oracle, before)
    assert before.compared == ([3] if place == 3 else [])
    assert place == 3 or oracle.is_same


# On an accelerator


class Normalised(BaseModel):
    """The smallest model with batch statistics and a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        outputs = self.layers(inputs)
        return dict(loss=outputs.square().mean()) if mode == 'loss' else outputs


def test_step_on_an_accelerator_waits_for_nothing_until_its_notes_are_read() -> None:
    """Every read of a ``meta`` tensor raises."""
    model = Normalised().to('meta')
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2)
    guard = GuardedStep(model, False, None, on_cause=pytest.fail)
    for number in range(4):
        wrapper.initialize_count_status(model, number, 4)
        guard(dict(inputs=torch.empty(8, 3, device='meta')), wrapper)
        guard.end_iteration(number, wrapper, is_due=False)
    with pytest.raises((NotImplementedError, RuntimeError)):
        guard.read_notes()


def test_images_of_earlier_batches_of_an_accumulation_are_let_go() -> None:
    model = Normalised()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=4)
    wrapper.initialize_count_status(model, 0, 4)
    guard, alive = GuardedStep(model, False, None, on_cause=pytest.fail), []
    for _ in range(3):
        images = torch.ones(8, 3)
        alive.append(weakref.ref(images))
        guard(dict(inputs=images), wrapper)
        del images
    assert [reference() is not None for reference in alive] == [False, False, True]


@pytest.mark.parametrize('kind', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_loss_and_statistics_of_any_precision_are_judged_by_what_they_are(kind: torch.dtype) -> None:
    for bad in (math.nan, math.inf, -math.inf):
        large = torch.full((1000,), 300.0, dtype=kind)  # the sum is more than half precision can hold
        for values in (large, [large, torch.ones(3)], large[0], [torch.zeros(0), large], 2 * [-large]):
            assert telling_sum(values).isfinite()
        large[7] = bad
        for values in (large, [torch.ones(3, dtype=torch.float64), large], [large, -large], large[7]):
            assert not telling_sum(values).isfinite()


def test_weights_that_are_not_finite_do_not_begin_to_train(tmp_path: Path) -> None:
    torch.save(dict(state_dict={'head.fc.weight': torch.full((10, 64), math.nan)}), tmp_path / 'lost.pth')
    with pytest.raises(DataError, match=r'begin with.*head\.fc\.weight is not finite.*load_from') as caught:
        train(poisoned(tmp_path / 'run', load_from=str(tmp_path / 'lost.pth')))
    assert 'learning rate' not in str(caught.value)


# Mixed precision, several processes, settings


def test_infinite_gradients_are_left_to_the_scaler_of_losses(tmp_path: Path) -> None:
    cfg = poisoned(tmp_path / 'run', epochs=1)
    cfg.optim_wrapper.update(type='mmdrl.ScaledOnCPU', init_scale=2.0**-8)
    runner = train(cfg, SpoiltGradient(4))
    assert runner.optim_wrapper.loss_scaler.get_scale() == 2.0**-9
    assert all(parameter.isfinite().all() for parameter in runner.model.parameters())


def test_scale_of_losses_that_only_falls_ends_the_run(tmp_path: Path) -> None:
    cfg = poisoned(tmp_path / 'run', epochs=1)
    cfg.optim_wrapper.update(type='mmdrl.ScaledOnCPU', init_scale=2.0**-8)
    said = refusal(cfg, SpoiltGradient(*range(20)))
    assert 'at iteration 3 (epoch 1): the gradients are not finite at any scale of the loss' in said


@pytest.mark.distributed
def test_all_processes_stop_or_skip_together_and_name_the_sample_of_one(forks: Forks, tmp_path: Path) -> None:
    said = forks.run(2, 'worker_non_finite.py', tmp_path, cwd=tmp_path)
    assert said.count('2 processes agree') == 1, said


@pytest.mark.parametrize('settings', [dict(action='go on'), dict(max_skipped=0), dict(max_skipped=True)])
def test_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f'NonFiniteHook: {next(iter(settings))} must be'):
        NonFiniteHook(**settings)
