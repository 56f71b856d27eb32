"""Losses that know the class counts: against torch and against loops written from the papers and released codes."""

import math
from typing import Any

import pytest
import torch
from mmpretrain.models.losses import CrossEntropyLoss
from reference import class_weights_loop
from torch.nn.functional import cross_entropy, one_hot
from torch.testing import assert_close

from mmdrl.errors import ConfigError, DataError
from mmdrl.models.losses import CountedLoss
from mmdrl.registry import MODELS

COUNTS = [500, 60, 5]
LABELS = torch.tensor([0, 0, 1, 2, 0, 1])
LOSSES = ('LogitAdjustedLoss', 'BalancedSoftmaxLoss', 'LDAMLoss', 'ClassBalancedLoss')
every_loss = pytest.mark.parametrize('name', LOSSES)


def make_loss(name: str, counts: list[int] | None = COUNTS, **settings: Any) -> Any:
    return MODELS.build(dict(type=f'mmdrl.{name}', num_classes=3, class_counts=counts, **settings))


@pytest.fixture
def logits(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(6, 3, generator=generator, dtype=torch.float64)


@pytest.fixture
def weight(generator: torch.Generator) -> torch.Tensor:
    return torch.rand(6, generator=generator)


def ldam_loop(logits: torch.Tensor, labels: torch.Tensor, largest: float = 0.5, scale: float = 30.0) -> list[float]:
    """Per sample, as the authors' released code has it: margins first, then scale, then cross-entropy."""
    margins = [1 / math.sqrt(math.sqrt(n)) for n in COUNTS]
    margins = [m * largest / max(margins) for m in margins]
    losses = []
    for row, y in zip(logits.tolist(), labels.tolist(), strict=True):
        scores = [scale * (f - margins[k] if k == y else f) for k, f in enumerate(row)]
        losses.append(math.log(sum(math.exp(s - scores[y]) for s in scores)))
    return losses


@pytest.mark.parametrize('tau', [0.0, 0.7, 1.0, 2.0])
def test_logit_adjusted_loss_is_cross_entropy_with_powers_of_the_counts(logits: torch.Tensor, tau: float) -> None:
    expected = [
        -math.log(COUNTS[y] ** tau * math.exp(f[y]) / sum(n**tau * math.exp(s) for n, s in zip(COUNTS, f, strict=True)))
        for f, y in zip(logits.tolist(), LABELS.tolist(), strict=True)
    ]
    found = make_loss('LogitAdjustedLoss', tau=tau, loss_weight=0.3)(logits, LABELS)
    assert found.item() == pytest.approx(0.3 * sum(expected) / 6, rel=1e-6)


def test_balanced_softmax_is_the_logit_adjusted_loss_with_tau_one(logits: torch.Tensor) -> None:
    settings = dict(loss_weight=0.3)
    balanced, adjusted = make_loss('BalancedSoftmaxLoss', **settings), make_loss('LogitAdjustedLoss', **settings)
    assert torch.equal(balanced(logits, LABELS), adjusted(logits, LABELS))


@pytest.mark.parametrize('name', ['LogitAdjustedLoss', 'BalancedSoftmaxLoss', 'ClassBalancedLoss'])
def test_equal_counts_give_cross_entropy(logits: torch.Tensor, name: str) -> None:
    assert_close(make_loss(name, [8, 8, 8])(logits, LABELS), cross_entropy(logits, LABELS))


def test_tau_zero_gives_cross_entropy(logits: torch.Tensor) -> None:
    assert_close(make_loss('LogitAdjustedLoss', tau=0.0)(logits, LABELS), cross_entropy(logits, LABELS))


def test_mixed_labels_give_the_mixture_of_both_losses(logits: torch.Tensor) -> None:
    loss, other = make_loss('LogitAdjustedLoss'), LABELS.flip(0)
    mixed = (0.3 * one_hot(LABELS, 3) + 0.7 * one_hot(other, 3)).float()  # as mixup makes them
    assert_close(loss(logits, mixed), 0.3 * loss(logits, LABELS) + 0.7 * loss(logits, other), rtol=1e-6, atol=0)
    for dtype in (torch.float16, torch.float32, torch.long):
        assert_close(loss(logits, one_hot(LABELS, 3).to(dtype)), loss(logits, LABELS))


@pytest.mark.parametrize('name', ['LDAMLoss', 'ClassBalancedLoss'])
def test_mixed_labels_are_refused_where_they_have_no_meaning(logits: torch.Tensor, name: str) -> None:
    with pytest.raises(ConfigError, match=rf'{name} needs one label per sample.*mixup.*mixing=False'):
        make_loss(name)(logits, one_hot(LABELS, 3).float())


@pytest.mark.parametrize(('largest', 'scale'), [(0.5, 30.0), (0.3, 10.0), (0.5, 1.0)])
def test_ldam_loss_equals_the_loop(logits: torch.Tensor, largest: float, scale: float) -> None:
    expected = ldam_loop(logits, LABELS, largest, scale)
    loss = make_loss('LDAMLoss', max_margin=largest, scale=scale, loss_weight=2.0)
    assert loss(logits, LABELS).item() == pytest.approx(2.0 * sum(expected) / 6, rel=1e-6)


def test_ldam_defaults_are_those_of_the_released_code(logits: torch.Tensor) -> None:
    assert make_loss('LDAMLoss')(logits, LABELS).item() == pytest.approx(sum(ldam_loop(logits, LABELS)) / 6, rel=1e-6)


def test_ldam_without_margins_is_cross_entropy_of_scaled_logits(logits: torch.Tensor) -> None:
    assert_close(make_loss('LDAMLoss', max_margin=0.0)(logits, LABELS), cross_entropy(30 * logits, LABELS))


def test_scale_may_be_in_the_classifier_if_the_margin_is_scaled_with_it(logits: torch.Tensor) -> None:
    in_loss = make_loss('LDAMLoss', max_margin=0.5, scale=30.0)(logits, LABELS)
    assert_close(make_loss('LDAMLoss', max_margin=15.0, scale=1.0)(30 * logits, LABELS), in_loss)


def test_weights_are_inverse_effective_numbers_that_sum_to_the_number_of_classes(logits: torch.Tensor) -> None:
    """Cui et al., section 4: alpha proportional to 1 / E_n, E_n = (1 - beta^n) / (1 - beta), and sum of alpha = C."""
    alpha = [(1 - 0.999) / (1 - 0.999**n) for n in COUNTS]
    alpha = [3 * a / sum(alpha) for a in alpha]
    loss = make_loss('ClassBalancedLoss', beta=0.999)
    each = loss(logits, LABELS, reduction_override='none')
    found = each / cross_entropy(logits, LABELS, reduction='none')
    assert found.tolist() == pytest.approx([alpha[y] for y in LABELS.tolist()], rel=1e-6)
    assert loss(logits, LABELS).item() == pytest.approx(each.mean().item(), rel=1e-6)


@pytest.mark.parametrize('kind', ['none', 'relative', 'balanced', 'effective'])
def test_average_over_weights_is_the_weighted_cross_entropy_of_torch(logits: torch.Tensor, kind: str) -> None:
    loss = make_loss('ClassBalancedLoss', class_weight=kind, average='weights')
    weights = torch.tensor(class_weights_loop(COUNTS, kind), dtype=torch.float64)
    expected = cross_entropy(logits, LABELS, weight=weights)
    # MMPretrain's heads give the batch size as avg_factor.
    assert_close(loss(logits, LABELS, avg_factor=6), expected, rtol=1e-6, atol=0)
    assert_close(loss(logits, LABELS), expected, rtol=1e-6, atol=0)


def test_deferred_reweighting_of_ldam_is_that_of_the_released_code(logits: torch.Tensor) -> None:
    alpha = class_weights_loop(COUNTS, 'effective', 0.9999)
    shares = [alpha[y] for y in LABELS.tolist()]
    weighted = [a * value for a, value in zip(shares, ldam_loop(logits, LABELS), strict=True)]
    loss = make_loss('ClassBalancedLoss', loss=dict(type='mmdrl.LDAMLoss'), average='weights')
    assert loss(logits, LABELS, avg_factor=6).item() == pytest.approx(sum(weighted) / sum(shares), rel=1e-6)


def test_beta_zero_defers_the_weights(logits: torch.Tensor) -> None:
    loss = make_loss('ClassBalancedLoss', loss=dict(type='mmdrl.LDAMLoss'), average='weights', beta=0.0)
    assert_close(loss(logits, LABELS), make_loss('LDAMLoss')(logits, LABELS))


@pytest.mark.parametrize(
    'inner', ['CrossEntropyLoss', 'FocalLoss', 'SeesawLoss', 'mmdrl.LDAMLoss', 'mmdrl.LogitAdjustedLoss']
)
def test_balanced_loss_is_the_weighted_sum_of_the_losses_of_single_samples(logits: torch.Tensor, inner: str) -> None:
    alpha = torch.tensor(class_weights_loop(COUNTS, 'balanced'))
    alpha *= 3 / alpha.sum()
    loss = make_loss('ClassBalancedLoss', loss=dict(type=inner), class_weight='balanced')
    found = loss(logits, LABELS, avg_factor=6)
    if inner == 'SeesawLoss':  # it has seen the batch once, and looks at ratios of what it has seen
        assert loss.loss.cum_samples.tolist() == [3, 2, 1]
    each = [
        loss.loss(logits, LABELS, weight=one_hot(torch.tensor(i), 6).float(), avg_factor=1).item() for i in range(6)
    ]
    expected = sum(alpha[y].item() * value for y, value in zip(LABELS.tolist(), each, strict=True)) / 6
    assert found.item() == pytest.approx(expected, rel=1e-6)


@every_loss
def test_arguments_of_a_call_mean_what_they_mean_to_cross_entropy(
    logits: torch.Tensor, weight: torch.Tensor, name: str
) -> None:
    loss = make_loss(name)
    each = loss(logits, LABELS, reduction_override='none')
    assert each.shape == (6,)
    weighted = weight * each
    assert_close(loss(logits, LABELS, weight, reduction_override='none'), weighted)
    assert_close(loss(logits, LABELS, weight, reduction_override='sum'), weighted.sum())
    assert_close(loss(logits, LABELS, weight), weighted.mean())
    assert_close(loss(logits, LABELS, weight, avg_factor=4), weighted.sum() / 4)
    plain, unweighted = CrossEntropyLoss(), cross_entropy(logits, LABELS, reduction='none')
    assert_close(plain(logits, LABELS, weight, avg_factor=4), (weight * unweighted).sum() / 4)


def test_sum_and_single_losses_are_divided_by_nothing_whatever_the_average(
    logits: torch.Tensor, weight: torch.Tensor
) -> None:
    by_samples, by_weights = (make_loss('ClassBalancedLoss', average=average) for average in ('samples', 'weights'))
    for reduction in ('none', 'sum'):
        found = by_weights(logits, LABELS, weight, reduction_override=reduction)
        assert torch.equal(found, by_samples(logits, LABELS, weight, reduction_override=reduction))
    inner = dict(type='CrossEntropyLoss', reduction='sum')
    summed = make_loss('ClassBalancedLoss', average='weights', loss=inner)
    assert torch.equal(summed(logits, LABELS), by_samples(logits, LABELS, reduction_override='sum'))


def test_weights_of_samples_do_not_change_what_the_sum_is_divided_by(logits: torch.Tensor) -> None:
    loss = make_loss('ClassBalancedLoss', average='weights')
    assert_close(loss(logits, LABELS, torch.full((6,), 0.5)), 0.5 * loss(logits, LABELS))
    assert loss(logits, LABELS, torch.zeros(6)) == 0


@every_loss
def test_gradient_is_that_of_differences(logits: torch.Tensor, name: str) -> None:
    loss = make_loss(name, **(dict(scale=3.0) if name == 'LDAMLoss' else {}))
    assert torch.autograd.gradcheck(lambda x: loss(x, LABELS), logits.requires_grad_())


@every_loss
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(logits: torch.Tensor, name: str, dtype: torch.dtype) -> None:
    half = logits.to(dtype).requires_grad_()
    loss = make_loss(name)
    value = loss(half, LABELS)
    assert value.dtype == torch.float32
    assert torch.equal(value, loss(half.float(), LABELS))
    value.backward()
    assert half.grad.dtype == dtype
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(loss(half, LABELS), value)


@every_loss
@pytest.mark.parametrize('average', ['samples', 'weights'])
def test_loss_reads_nothing_from_the_device(logits: torch.Tensor, name: str, average: str) -> None:
    """Tensors without data: whoever looks at one, or makes a shape depend on one, fails."""
    settings = dict(average=average, loss=dict(type='mmdrl.LDAMLoss')) if name == 'ClassBalancedLoss' else {}
    loss = make_loss(name, **settings).to('meta')
    nowhere = logits.to('meta').requires_grad_()
    loss(nowhere, LABELS.to('meta'), avg_factor=6).backward()
    assert nowhere.grad.shape == (6, 3)


@every_loss
def test_loss_compiles_as_one_graph(logits: torch.Tensor, name: str) -> None:
    torch._dynamo.reset()
    loss = make_loss(name)
    compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
    assert_close(compiled(logits, LABELS, avg_factor=6), loss(logits, LABELS, avg_factor=6))


@every_loss
def test_checkpoints_hold_nothing_of_the_loss(name: str) -> None:
    assert make_loss(name).state_dict() == {}


@every_loss
def test_nothing_learns_in_the_loss(name: str) -> None:
    assert list(make_loss(name).parameters()) == []


@every_loss
def test_counts_that_nobody_has_set_name_the_hook(logits: torch.Tensor, name: str) -> None:
    with pytest.raises(ConfigError, match=rf'{name} .*mmdrl\.ClassCountsHook'):
        make_loss(name, None)(logits, LABELS)


@every_loss
def test_counts_set_later_are_those_of_the_argument(logits: torch.Tensor, name: str) -> None:
    late = make_loss(name, None)
    late.set_class_counts(COUNTS)
    assert torch.equal(late(logits, LABELS), make_loss(name)(logits, LABELS))


def test_counts_reach_the_inner_loss_unless_it_has_its_own(logits: torch.Tensor) -> None:
    inner = dict(type='mmdrl.LDAMLoss')
    assert make_loss('ClassBalancedLoss', loss=inner).loss.class_counts.tolist() == COUNTS
    assert make_loss('ClassBalancedLoss').has_own_class_counts
    own = make_loss('ClassBalancedLoss', loss=dict(inner, class_counts=[7, 8, 9]))
    assert own.loss.class_counts.tolist() == [7, 8, 9]


def test_number_of_classes_may_be_left_open_for_the_inner_loss(logits: torch.Tensor) -> None:
    for open_ in ({}, dict(num_classes=None), dict(num_classes=3)):
        inner = dict(type='LabelSmoothLoss', label_smooth_val=0.1, **open_)
        assert make_loss('ClassBalancedLoss', loss=inner).loss.num_classes == 3


@every_loss
@pytest.mark.parametrize(
    ('shape', 'labels', 'error', 'message'),
    [
        ((6, 4), LABELS, ConfigError, r'\(B, 3\).*\(6, 4\).*num_classes'),
        ((6, 3), torch.tensor([0, 0, 1, 3, 0, 1]), DataError, r'\[0, 3\).*3'),
        ((6, 3), torch.tensor([0, 0, 1, -1, 0, 1]), DataError, r'\[0, 3\).*-1'),
        ((6, 3), LABELS[:4], DataError, r'\(6,\).*\(4,\)'),
        ((6, 3), torch.ones(6, 2), DataError, r'\(6,\).*\(6, 2\)'),
    ],
)
def test_batches_that_do_not_fit_are_refused(
    name: str, shape: tuple[int, int], labels: torch.Tensor, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_loss(name)(torch.zeros(shape), labels)


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('LogitAdjustedLoss', dict(tau=-1.0), 'tau.*-1'),
        ('LogitAdjustedLoss', dict(tau='1'), "tau.*'1'"),
        ('LogitAdjustedLoss', dict(loss_weight=float('nan')), 'loss_weight.*nan'),
        ('BalancedSoftmaxLoss', dict(loss_weight=-1.0), 'loss_weight.*-1'),
        ('LDAMLoss', dict(max_margin=-0.5), 'max_margin.*-0.5'),
        ('LDAMLoss', dict(scale=0.0), 'scale.*above 0.*0.0'),
        ('LDAMLoss', dict(loss_weight=float('inf')), 'loss_weight.*inf'),
        ('LDAMLoss', dict(counts=[1, 2]), r'LDAMLoss.*3 classes.*\[1, 2\]'),
        ('ClassBalancedLoss', dict(counts=[1, 0, 2]), r'ClassBalancedLoss.*at least 1.*\[1, 0, 2\]'),
        ('ClassBalancedLoss', dict(class_weight='rare'), "'effective'.*'rare'"),
        ('ClassBalancedLoss', dict(beta=1.0), 'beta.*1'),
        ('ClassBalancedLoss', dict(average='batch'), "'samples' or 'weights'.*'batch'"),
        ('ClassBalancedLoss', dict(loss=dict(type='NoSuchLoss')), 'ClassBalancedLoss.*NoSuchLoss'),
        ('ClassBalancedLoss', dict(loss=dict(type='mmdrl.DRLoss')), 'takes no weight'),
        ('ClassBalancedLoss', dict(loss=dict(type='SeesawLoss', num_classes=5)), '5.*3.*Leave it out'),
        ('ClassBalancedLoss', dict(loss=dict(type='SeesawLoss', use_sigmoid=True)), 'SeesawLoss.*use_sigmoid'),
        ('ClassBalancedLoss', dict(loss=dict(type='mmdrl.LDAMLoss', margin=1)), 'LDAMLoss.*margin'),
        ('ClassBalancedLoss', dict(loss=dict(type='mmdrl.LDAMLoss', scale=-1.0)), 'LDAMLoss: scale.*-1'),
        ('ClassBalancedLoss', dict(loss='CrossEntropyLoss'), "dict with a type.*'CrossEntropyLoss'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_loss(name, **change)


def test_every_loss_of_counts_is_tested_here() -> None:
    ours = [kind for kind in MODELS.module_dict.values() if kind.__module__.startswith('mmdrl.')]  # pages add some
    known = {kind.__name__ for kind in ours if issubclass(kind, CountedLoss)}
    assert known == set(LOSSES)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
@every_loss
def test_loss_on_the_gpu_waits_for_nothing_and_is_that_of_the_cpu(logits: torch.Tensor, name: str) -> None:
    loss = make_loss(name)
    expected = loss(logits, LABELS, avg_factor=6)
    loss, logits, labels = loss.cuda(), logits.cuda().requires_grad_(), LABELS.cuda()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        value = loss(logits, labels, avg_factor=6)
        value.backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert_close(value.cpu(), expected)
