"""What makes the time of a small step on a GPU: the head launches few kernels, and compiles as one graph."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmdrl.batch_samples import BatchSamples
from mmdrl.errors import ConfigError, DataError, DivergenceError
from mmdrl.models import DRHead

sys.path.append(str(Path(__file__).parents[2] / 'benchmarks'))
from launches import launches, make_head

LABELS = torch.tensor([0, 0, 1, 1, 2, 2])


def head_of(mode: str = 'running') -> DRHead:
    head: Any = make_head(4, 3, mode)
    torch.manual_seed(0)
    head.fc.reset_parameters()
    return head


def losses_and_gradient(head: Any, loss: Any, samples: Any) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    features = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    losses = loss((features,), samples)
    (losses['loss_cls'] + losses['loss_dr']).backward()
    return losses, features.grad


@pytest.mark.parametrize(('mode', 'most'), [('running', 130), ('ema', 130), ('epoch', 85)])
def test_head_launches_no_more_kernels_than_it_did(mode: str, most: int) -> None:
    """An upper bound, so that a careless line is noticed; the head of MMPretrain has 18."""
    found = launches(mode)
    assert sum(found.values()) <= most, found


def test_number_of_launches_does_not_grow_with_the_batch() -> None:
    assert launches('running', size=8) == launches('running', size=300)


@pytest.mark.parametrize('mode', ['running', 'ema'])
def test_step_is_one_graph_and_equals_the_eager_one(mode: str) -> None:
    eager, compiled = head_of(mode), head_of(mode)
    for head in (eager, compiled):
        head.centroids.is_seen.fill_(True)
    step = torch.compile(compiled.loss, backend='aot_eager', fullgraph=True)
    for _ in range(2):
        expected = losses_and_gradient(eager, eager.loss, BatchSamples(LABELS))
        found = losses_and_gradient(compiled, step, BatchSamples(LABELS))
        assert_close(found, expected)
    assert_close(dict(compiled.named_buffers()), dict(eager.named_buffers()))
    compiled.fc.weight.data[1] = float('nan')
    losses_and_gradient(compiled, step, BatchSamples(LABELS))
    with pytest.raises(DivergenceError, match='loss_cls is not finite'):
        compiled.check_divergence()


@pytest.mark.host
def test_whole_batches_give_the_losses_of_samples_one_by_one() -> None:
    samples = [DataSample().set_gt_label(label) for label in LABELS]
    one, other = head_of(), head_of()
    found = losses_and_gradient(one, one.loss, BatchSamples(LABELS))
    assert_close(found, losses_and_gradient(other, other.loss, samples), rtol=0, atol=0)
    assert_close(dict(one.named_buffers()), dict(other.named_buffers()), rtol=0, atol=0)


def test_no_sample_is_made_of_a_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchSamples, '_fresh', lambda _: pytest.fail('made samples'))
    head = head_of()
    losses_and_gradient(head, head.loss, BatchSamples(LABELS))


def test_mixed_labels_of_a_whole_batch_are_those_of_samples() -> None:
    scores = torch.rand(6, 3).softmax(dim=1)
    head, features = head_of(), torch.randn(6, 4)
    head.loss_scale['loss_dr'] = 0.0
    found = head.loss((features,), BatchSamples(None, scores=scores))
    samples = [DataSample().set_gt_score(score) for score in scores]
    assert_close(found, head.loss((features,), samples), rtol=0, atol=0)
    head.loss_scale['loss_dr'] = 1.0
    with pytest.raises(ConfigError, match='one label per sample, got mixed labels'):
        head.loss((features,), BatchSamples(LABELS, scores=scores))


def test_whole_batch_without_labels_is_refused() -> None:
    with pytest.raises(DataError, match='one label per sample, got none'):
        head_of().loss((torch.randn(6, 4),), BatchSamples(None, sample_idx=torch.arange(6)))


def test_head_of_a_user_with_a_loss_of_its_own_gets_the_samples_themselves() -> None:
    class Own(DRHead):
        def _get_loss(self, cls_score: Any, data_samples: Any, **settings: Any) -> Any:
            self.given = data_samples
            return super()._get_loss(cls_score, data_samples, **settings)

    head, samples = Own(3, 4), BatchSamples(LABELS)
    head.loss((torch.randn(6, 4),), samples)
    assert head.given is samples
