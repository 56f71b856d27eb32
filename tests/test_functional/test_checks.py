"""The label of a sample that is not finite, found without reading a value back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdrl.functional import non_finite_class


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_highest_label_of_the_bad_samples_comes_back(value, dtype):
    features, labels = torch.zeros(6, 3, dtype=dtype), torch.tensor([9, 8, 7, 6, 5, 4])
    features[2, 1], features[4, 0] = value, value
    found = non_finite_class(features, labels)
    assert (found.shape, found.dtype) == ((), torch.long)
    assert found.item() == 7


def test_minus_one_says_that_all_are_finite():
    largest = torch.full((4, 3), torch.finfo(torch.float32).max)
    assert non_finite_class(largest, torch.tensor([0, 1, 2, 3])).item() == -1


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=12), st.integers(1, 4), st.data())
def test_label_equals_that_of_the_loop(samples, dim, data):
    features, expected = torch.ones(len(samples), dim), -1
    for i, (is_bad, label) in enumerate(samples):
        if is_bad:
            features[i, data.draw(st.integers(0, dim - 1))] = float('nan')
            expected = max(expected, label)
    labels = torch.tensor([label for _, label in samples])
    assert non_finite_class(features, labels).item() == expected


def test_search_takes_features_with_a_gradient_and_gives_none():
    features = torch.ones(3, 2, requires_grad=True)
    assert not non_finite_class(features, torch.tensor([0, 1, 2])).requires_grad


def test_nothing_is_read_back():
    # A meta tensor has no values, so every read that would make an accelerator wait raises here.
    found = non_finite_class(torch.empty(6, 4, device='meta'), torch.empty(6, dtype=torch.long, device='meta'))
    assert (found.shape, found.dtype, found.device.type) == ((), torch.long, 'meta')


def test_compiled_search_equals_eager():
    compiled = torch.compile(non_finite_class, backend='aot_eager', fullgraph=True)
    features, labels = torch.ones(4, 2), torch.tensor([3, 2, 1, 0])
    assert compiled(features, labels).item() == -1
    features[1, 1] = float('nan')
    assert compiled(features, labels).item() == 2
