"""Weights looked at before they are kept."""

import pytest
import torch
from torch import nn

from mmdrl.engine.finite import check_finite
from mmdrl.errors import DivergenceError


def model() -> nn.Module:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
    net[2].weight = nn.Parameter(torch.ones(3, 3))
    net.register_buffer('mask', torch.tensor([0.0, float('-inf')]))
    net.register_buffer('scratch', torch.tensor(float('nan')), persistent=False)
    return net


def test_sound_model_with_a_mask_of_infinities_passes() -> None:
    check_finite(model())


@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_first_spoilt_parameter_is_named(value: float) -> None:
    net = model()
    for name in ('0.bias', '2.weight'):
        net.get_parameter(name).data.view(-1)[1] = value
    with pytest.raises(DivergenceError, match=r'0\.bias is not finite.*Lower the learning rate'):
        check_finite(net)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_batch_statistic_that_is_not_finite_is_named(value: float) -> None:
    net = model()
    net[1].running_var[2] = value
    with pytest.raises(DivergenceError, match=r'1\.running_var is not finite'):
        check_finite(net)


def test_other_state_than_that_of_the_model_is_looked_at() -> None:
    net = model()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    check_finite(net, state)
    state['2.weight'][0, 0] = float('inf')
    with pytest.raises(DivergenceError, match=r'2\.weight is not finite'):
        check_finite(net, state)


def test_second_name_of_a_shared_parameter_is_one_too() -> None:
    net = model()
    net.add_module('tied', net[0])
    state = {name: value.clone() for name, value in net.state_dict().items()}
    state['tied.weight'][0, 0] = float('inf')
    with pytest.raises(DivergenceError, match=r'tied\.weight'):
        check_finite(net, state)
