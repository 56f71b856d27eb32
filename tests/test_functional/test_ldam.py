"""LDAM margins by hand, and what subtracting them leaves alone."""

import pytest
import torch
from cases import saying
from torch.testing import assert_close

from mmdrl.functional import ldam_margins, subtract_margin


def test_margins_fall_with_the_fourth_root_and_the_largest_is_given():
    """1, 16, 81 and 10000 images have fourth roots 1, 2, 3 and 10."""
    margins = ldam_margins(torch.tensor([16, 10000, 1, 81]))
    assert margins.tolist() == pytest.approx([0.25, 0.05, 0.5, 0.5 / 3])
    assert ldam_margins(torch.tensor([160000, 160]), max_margin=1.2).tolist() == pytest.approx([1.2 / 1000**0.25, 1.2])
    assert ldam_margins(torch.tensor([7, 7])).tolist() == [0.5, 0.5]


def test_own_logit_alone_moves_and_by_its_margin(generator):
    logits = torch.randn(3, 4, generator=generator)
    labels = torch.tensor([2, 0, 2])
    moved = logits - subtract_margin(logits, labels, torch.tensor([0.5, 0.4, 0.25, 0.1]))
    expected = torch.zeros(3, 4)
    for row, (label, margin) in enumerate([(2, 0.25), (0, 0.5), (2, 0.25)]):
        expected[row, label] = margin
    assert_close(moved, expected)


def test_gradient_passes_through_unchanged(generator):
    logits = torch.randn(3, 4, generator=generator, requires_grad=True)
    passed = torch.randn(3, 4, generator=generator)
    subtract_margin(logits, torch.tensor([2, 0, 2]), torch.rand(4, generator=generator)).backward(passed)
    assert torch.equal(logits.grad, passed)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    logits = torch.tensor([[0.75, -0.5]], dtype=dtype)
    margins = torch.tensor([0.1, 0.2])  # neither is a number of half precision
    assert subtract_margin(logits, torch.tensor([0]), margins)[0].tolist() == pytest.approx([0.65, -0.5], abs=1e-7)


@pytest.mark.parametrize('margin', [-0.1, float('nan'), float('inf')])
def test_largest_margin_out_of_range_is_named(margin):
    with pytest.raises(ValueError, match=saying('max_margin', str(margin))):
        ldam_margins(torch.tensor([5, 3]), margin)


def test_class_without_images_is_named():
    with pytest.raises(ValueError, match=saying('class 1', 'count of 0')):
        ldam_margins(torch.tensor([5, 0]))


@pytest.mark.parametrize(
    ('labels', 'words'),
    [
        (torch.tensor([0, 3]), ('labels', r'\[0, 3\)', '3')),
        (torch.tensor([0, -1]), ('labels', '-1')),
        (torch.tensor([0]), (r'\(2,\)', r'\(1,\)')),
        (torch.tensor([0.0, 1.0]), ('long', 'float32')),
    ],
)
def test_labels_that_do_not_fit_are_named(labels, words):
    with pytest.raises(ValueError, match=saying(*words)):
        subtract_margin(torch.zeros(2, 3), labels, torch.zeros(3))
