"""Steps that only note what they see, as on an accelerator: nothing is read in between, and what is found is exact."""

import math
import traceback
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from digits_run import short_config, train
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample
from numbers_gone_bad import POISONED, SKIP, SpoiltGradient, poisoned

from mmdrl.batch_samples import BatchSamples
from mmdrl.engine.gradient_look import GradientLook
from mmdrl.engine.guarded_step import GuardedStep
from mmdrl.engine.hooks import NonFiniteHook
from mmdrl.engine.non_finite_cause import Batch
from mmdrl.engine.step_notes import StepNotes
from mmdrl.errors import ConfigError, DivergenceError

pytestmark = pytest.mark.faults


class OnAccelerator(Hook):
    """Lets every step note and look at nothing, as on an accelerator."""

    priority = 'LOWEST'

    def before_train(self, runner: Any) -> None:
        guard = runner.model.train_step
        assert isinstance(guard, GuardedStep)
        guard.notes = StepNotes()
        guard._gradients.note = guard.notes.note


@pytest.fixture(autouse=True)
def static(monkeypatch: pytest.MonkeyPatch) -> None:
    """Head, loss and labels go the way on which no value is looked at."""
    for module in (
        'functional.robust',
        'functional.checks',
        'models.heads.dr_head',
        'models.heads.labels',
        'models.class_moments',
    ):
        monkeypatch.setattr(f'mmdrl.{module}.is_static', lambda tensor: True)
    monkeypatch.setattr('mmdrl.engine.late_scalars._is_on_device', lambda value: isinstance(value, torch.Tensor))


def said_by(cfg: Config, *hooks: Hook) -> str:
    with pytest.raises(DivergenceError) as caught:
        train(cfg, OnAccelerator(), *hooks)
    return str(caught.value)


def test_image_of_an_earlier_iteration_is_named_with_that_iteration(tmp_path: Path) -> None:
    cfg = poisoned(tmp_path / 'run', POISONED, **{'default_hooks.non_finite.interval': 4})
    said = said_by(cfg)
    assert 'at iteration 1 (epoch 1): pixels are nan or infinite in image 418 of the data of class 5. Mend' in said


@pytest.mark.parametrize('clip', [False, True])
@pytest.mark.parametrize(('interval', 'counts', 'samples'), [(4, 1, 32), (None, 1, 32), (100, 3, 96)])
def test_first_bad_gradient_is_found_at_the_end_of_the_interval_or_of_the_epoch(
    tmp_path: Path, interval: int | None, counts: int, samples: int, clip: bool
) -> None:
    cfg = poisoned(tmp_path / 'run', **{'default_hooks.non_finite.interval': interval})
    cfg.optim_wrapper.clip_grad = dict(max_norm=1.0) if clip else None
    cfg.optim_wrapper.accumulative_counts = counts
    said = said_by(cfg, SpoiltGradient(5))
    # All later ones are not finite either, their losses as well.
    assert 'has diverged at iteration 6 (epoch 1): the gradient is not finite, for the batch as a whole: image ' in said
    assert f' and {samples - 3} more, which the log names' in said
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_step_before_a_checkpoint_inside_the_interval_is_read_and_not_saved(tmp_path: Path) -> None:
    cfg = poisoned(tmp_path / 'run', **{'default_hooks.non_finite.interval': 100})
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=3)
    assert 'at iteration 5 (epoch 1): the gradient is not finite' in said_by(cfg, SpoiltGradient(4))
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == ['iter_3.pth']


def test_save_that_nobody_foresaw_reads_first(tmp_path: Path) -> None:
    class Save(Hook):
        def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
            if runner.iter == 6:
                runner.save_checkpoint(runner.work_dir, 'mine.pth')

    cfg = poisoned(tmp_path / 'run', **{'default_hooks.non_finite.interval': 100})
    assert 'at iteration 6 (epoch 1): the gradient is not finite' in said_by(cfg, SpoiltGradient(5), Save())
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_variance_that_overflows_is_laid_to_the_iterations_since_the_last_look(tmp_path: Path) -> None:
    class Spoil(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.iter == 5:
                runner.model.backbone.layer1[0].bn1.running_var[3] = math.inf

    said = said_by(poisoned(tmp_path / 'run', **{'default_hooks.non_finite.interval': 4}), Spoil())
    assert 'at one of iterations 5 to 8 (epoch 1): a running mean or variance is not finite' in said


def test_features_that_only_the_head_has_seen_stop_the_run(tmp_path: Path) -> None:
    class Spoil(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.iter == 1:
                features = torch.ones(2, 64)
                features[1, 7] = math.nan
                runner.model.head._divergence.note_features([features], torch.tensor([3, 4]))

    said = said_by(poisoned(tmp_path / 'run', **{'default_hooks.non_finite.interval': 4}), Spoil())
    assert (
        'at one of iterations 1 to 4 (epoch 1): the features of layer -1 are not finite for a sample of class 4' in said
    )


def test_features_that_only_the_head_has_seen_stop_a_compiled_run_on_the_cpu(tmp_path: Path) -> None:
    class AsCompiled(Hook):
        priority = 'HIGHEST'

        def before_train(self, runner: Any) -> None:
            runner.model.train_step = runner.model.train_step  # MMEngine sets the compiled one; the head goes its way

        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.iter == 1:
                runner.model.head._divergence.note_features([torch.full((1, 64), math.nan)], torch.tensor([4]))

    with pytest.raises(
        DivergenceError, match=r'iteration 2 .*: the features of layer -1 are not finite for a sample of'
    ):
        train(poisoned(tmp_path / 'run', epochs=1), AsCompiled())


@pytest.mark.parametrize('is_on', [False, True])
def test_clipped_gradients_are_noted_unless_a_scaler_of_losses_judges_them(is_on: bool) -> None:
    model, noted = torch.nn.Linear(2, 1), []
    wrapper: Any = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), clip_grad=dict(max_norm=1.0))
    wrapper.loss_scaler = torch.amp.GradScaler('cpu', enabled=is_on)  # one that is off comes with bfloat16
    GradientLook(model, lambda name, values: noted.append(bool(values.isfinite()))).follow(wrapper)
    wrapper.update_params(model(torch.full((1, 2), math.inf)).sum())
    assert noted == ([] if is_on else [False])


def test_mixed_labels_do_not_wait_on_the_device_with_the_notes() -> None:
    labels, scores = torch.tensor([2, 5]), torch.rand(2, 6)
    samples = BatchSamples(labels, torch.tensor([40, 41]), scores=scores)
    one_by_one = [DataSample(metainfo=dict(sample_idx=40, img_path='a.png')).set_gt_label(2).set_gt_score(scores[0])]
    notes, alive = StepNotes(), weakref.ref(scores)
    notes.note('loss', torch.tensor(math.nan))
    notes.end_step(7, [Batch(None, samples), Batch(None, one_by_one)])
    del samples, scores, one_by_one
    assert alive() is None
    found = notes.read(torch.device('cpu'), None)
    names = ('image 40 of the data of class 2', 'image 41 of the data of class 5', 'a.png of class 2')
    assert found is not None
    assert found.cause.samples == names


READS = ('item', 'tolist', 'numpy', '__bool__', '__float__', '__int__', '__index__', 'cpu', 'nonzero', 'unique')


class Reads(Hook):
    """Counts, by iteration, the calls that would wait for an accelerator between an iteration's begin and its end."""

    priority = 'HIGHEST'

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.found: dict[int, list[str]] = {}
        self._iteration: int | None = None
        for name in READS:
            monkeypatch.setattr(torch.Tensor, name, self._counted(getattr(torch.Tensor, name)))

    def _counted(self, method: Any) -> Any:
        def read(tensor: torch.Tensor, *args: Any, **settings: Any) -> Any:
            if self._iteration is not None:
                where = next(
                    entry for entry in reversed(traceback.extract_stack()[:-1]) if '/torch/' not in entry.filename
                )
                self.found.setdefault(self._iteration, []).append(f'{where.filename}:{where.lineno} {where.name}')
            return method(tensor, *args, **settings)

        return read

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self._iteration = runner.iter


class EndOfIteration(Hook):
    """The last hook of an iteration."""

    priority = 'LOWEST'

    def __init__(self, reads: Reads):
        self.reads = reads

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.reads._iteration = None


@pytest.mark.host
@pytest.mark.parametrize('mode', ['running', 'ema'])
def test_nothing_is_read_between_two_lines_of_the_log(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole run: the step, the hooks of the runtime, clipping, and centroids."""
    cfg = short_config(tmp_path / 'run', [dict(name='only', epochs=1)])
    cfg.model.head.centroids.mode = mode
    cfg.default_hooks.logger.interval = 4
    cfg.optim_wrapper.clip_grad = dict(max_norm=1.0)
    reads = Reads(monkeypatch)
    train(cfg, OnAccelerator(), reads, EndOfIteration(reads))
    due = {3, 7, 10}  # of eleven iterations: the lines of the log, and the last
    found = {key: [where for where in calls if 'set_class_counts' not in where] for key, calls in reads.found.items()}
    # The counts lie on the CPU, and are handed to the model once per epoch.
    assert {iteration: where for iteration, where in found.items() if where and iteration not in due} == {}
    assert all(found[iteration] for iteration in due)


@pytest.mark.parametrize('interval', [0, 2.5, True])
def test_interval_out_of_range_is_refused(interval: Any) -> None:
    with pytest.raises(ConfigError, match='NonFiniteHook: interval must be a whole number'):
        NonFiniteHook(interval=interval)


def test_skipping_goes_on_looking_before_every_step(tmp_path: Path) -> None:
    class Check(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            assert runner.model.train_step.notes is None

    runner = train(poisoned(tmp_path / 'run', POISONED, epochs=1, **SKIP), Check())
    assert runner.message_hub.runtime_info['skipped_batches'] == 1
