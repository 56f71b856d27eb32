"""The buffer of class counts: who fills it, what does not fit, and when it is looked at."""

import pytest
import torch
from torch import nn

from mmdrl.errors import ConfigError
from mmdrl.models.class_counts import KeepsClassCounts


class Counted(KeepsClassCounts):
    def __init__(self, num_classes=3, persistent=True, counts=None):
        super().__init__()
        self.init_class_counts(num_classes, persistent, counts)


def test_counts_that_were_set_are_known():
    module = Counted()
    module.set_class_counts(torch.tensor([9, 4, 1]))
    assert module.known_class_counts().tolist() == [9, 4, 1]
    assert module.class_counts.dtype == torch.long
    assert not module.has_own_class_counts


def test_counts_of_nobody_name_module_and_hook():
    with pytest.raises(ConfigError, match=r'Counted .*mmdrl\.ClassCountsHook'):
        Counted().known_class_counts()


def test_counts_may_be_an_argument():
    module = Counted(counts=[9, 4, 1])
    assert module.known_class_counts().tolist() == [9, 4, 1]
    assert module.has_own_class_counts


def test_counts_from_a_checkpoint_are_known_only_where_it_holds_them():
    module, forgetful = Counted(), Counted(persistent=False)
    module.load_state_dict(Counted(counts=[9, 4, 1]).state_dict())
    assert module.known_class_counts().tolist() == [9, 4, 1]
    assert forgetful.state_dict() == {}


def test_counts_once_known_are_never_looked_at_again():
    """A tensor without data: whoever looks at it fails."""
    module = Counted(counts=[9, 4, 1]).to('meta')
    assert module.known_class_counts().device.type == 'meta'
    loaded = Counted()
    loaded.load_state_dict(Counted(counts=[9, 4, 1]).state_dict())
    loaded.known_class_counts()
    assert loaded.to('meta').known_class_counts().device.type == 'meta'


def test_mixin_comes_before_or_after_another_module():
    class Linear(KeepsClassCounts, nn.Linear):
        pass

    layer = Linear(2, 3)
    layer.init_class_counts(3, persistent=True)
    assert set(layer.state_dict()) == {'weight', 'bias', 'class_counts'}


@pytest.mark.parametrize(
    'counts',
    [[1, 2], [1, 0, 2], [1, -3, 2], [[1, 2, 3]], [1.5, 2, 3], [float('nan'), 2, 3], [float('inf'), 2, 3]],
)
def test_counts_that_do_not_fit_are_refused_and_leave_the_buffer_alone(counts):
    module = Counted()
    with pytest.raises(ConfigError, match=r'Counted expects .*3 classes.*num_classes'):
        module.set_class_counts(torch.tensor(counts))
    assert module.class_counts.tolist() == [0, 0, 0]


def test_whole_numbers_of_any_type_are_taken():
    for dtype in (torch.int32, torch.float32, torch.float64):
        module = Counted()
        module.set_class_counts(torch.tensor([9, 4, 1], dtype=dtype))
        assert module.class_counts.tolist() == [9, 4, 1]


@pytest.mark.parametrize('num_classes', [0, -1, 2.0, None, '3'])
def test_number_of_classes_must_be_a_whole_number(num_classes):
    with pytest.raises(ConfigError, match='num_classes'):
        Counted(num_classes)
