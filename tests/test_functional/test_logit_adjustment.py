"""Adding the class prior to logits: against the published formulas, and what it does to the minimum of the loss."""

import math

import pytest
import torch
from cases import saying
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from mmdrl.functional import adjust_logits, log_prior

COUNTS = torch.tensor([500, 60, 5])


def test_log_prior_of_counts_by_hand():
    assert log_prior(torch.tensor([6, 3, 1])).tolist() == pytest.approx([math.log(0.6), math.log(0.3), math.log(0.1)])
    assert log_prior(torch.tensor([7])).tolist() == [0.0]


@pytest.mark.parametrize('tau', [0.0, 0.5, 1.0, 2.0])
def test_cross_entropy_of_adjusted_logits_is_the_pairwise_form_of_menon_et_al(generator, tau):
    """Equation 10 of the paper, right-hand side: the log of 1 and of a margin against every other class."""
    logits = torch.randn(8, 3, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    losses = []
    for f, y in zip(logits.tolist(), labels.tolist(), strict=True):
        others = [k for k in range(3) if k != y]
        ratios = [(int(COUNTS[k]) / int(COUNTS[y])) ** tau * math.exp(f[k] - f[y]) for k in others]
        losses.append(math.log(1 + sum(ratios)))
    value = cross_entropy(adjust_logits(logits, COUNTS, tau), labels, reduction='none')
    assert value.tolist() == pytest.approx(losses, rel=1e-6)


def test_softmax_of_adjusted_logits_is_the_balanced_softmax_of_ren_et_al(generator):
    """n_y exp(f_y) over the sum of n_k exp(f_k)."""
    logits = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    share = COUNTS * logits.exp()
    assert_close(adjust_logits(logits, COUNTS).softmax(1), share / share.sum(1, keepdim=True), rtol=1e-6, atol=0)


def test_negative_tau_takes_back_what_training_has_added(generator):
    logits = torch.randn(4, 3, generator=generator)
    assert_close(adjust_logits(adjust_logits(logits, COUNTS, 1.5), COUNTS, -1.5), logits)


def test_equal_counts_and_tau_zero_move_no_sample(generator):
    logits = torch.randn(4, 3, generator=generator)
    assert torch.equal(adjust_logits(logits, COUNTS, 0.0), logits)
    moved = adjust_logits(logits, torch.tensor([9, 9, 9])) - logits
    assert_close(moved, torch.full((4, 3), -math.log(3)))


def test_minimum_of_the_loss_is_the_classifier_of_equally_common_classes():
    """Three places x, two classes 99 to 1: at the minimum f_1 - f_0 is log P(x | 1) / P(x | 0), without the prior."""
    prior = torch.tensor([0.99, 0.01], dtype=torch.float64)
    likelihood = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], dtype=torch.float64)  # (class, place)
    joint = (prior[:, None] * likelihood).T
    found = {}
    for tau in (0.0, 1.0):
        logits = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-16)

        def closure(logits=logits, optimizer=optimizer, tau=tau):
            optimizer.zero_grad()
            value = -(joint * adjust_logits(logits, torch.tensor([99, 1]), tau).log_softmax(1)).sum()
            value.backward()
            return value

        optimizer.step(closure)
        found[tau] = (logits[:, 1] - logits[:, 0]).detach()
    assert_close(found[1.0], (likelihood[1] / likelihood[0]).log(), rtol=1e-4, atol=1e-4)
    assert (found[0.0] < 0).all()  # plain cross-entropy never predicts the rare class
    # Adjusting after training comes to the same.
    plain = torch.stack([torch.zeros(3, dtype=torch.float64), found[0.0]], dim=1)
    after = adjust_logits(plain, torch.tensor([99, 1]), -1.0)
    assert_close(after[:, 1] - after[:, 0], found[1.0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    logits = torch.tensor([[1.0, -2.0, 0.5]], dtype=dtype)
    assert_close(adjust_logits(logits, COUNTS), logits.float() + log_prior(COUNTS), rtol=0, atol=0)


@pytest.mark.parametrize(
    ('logits', 'counts', 'words'),
    [
        (torch.zeros(2, 4), COUNTS, (r'\(B, 3\)', r'\(2, 4\)', 'num_classes')),
        (torch.zeros(3), COUNTS, (r'\(B, 3\)', r'\(3,\)')),
        (torch.zeros(2, 3).long(), COUNTS, ('floating', 'int64')),
        (torch.zeros(2, 3), torch.tensor([5, 0, 1]), ('count of 0', 'class 1')),
        (torch.zeros(2, 3), torch.ones(1, 3), (r'\(K,\)', r'\(1, 3\)')),
    ],
)
def test_what_does_not_fit_is_named(logits, counts, words):
    with pytest.raises(ValueError, match=saying(*words)):
        adjust_logits(logits, counts)
