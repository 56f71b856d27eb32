"""The modules of a model, found fast enough for every step."""

import pytest
import torch
from command import ROOT
from mmengine.config import Config
from torch import nn

from mmdrl.engine.finite import LOOKED_UP, RunningStatistics, batch_statistics
from mmdrl.engine.model_parts import every_module, find_head
from mmdrl.models import DRHead
from mmdrl.registry import MODELS

SHARED = nn.BatchNorm1d(2)
NETWORKS = dict(
    nested=nn.Sequential(
        nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.ModuleDict(dict(b=nn.ReLU(), a=nn.Tanh())))
    ),
    single=nn.BatchNorm2d(3),
    no_statistics=nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False), nn.GroupNorm(1, 2)),
    shared=nn.Sequential(SHARED, nn.Sequential(SHARED)),
)


def network(name: str) -> nn.Module:
    """One that has a part left out as well."""
    model = NETWORKS[name]
    model.register_module('left_out', None)
    return model


@pytest.mark.parametrize('name', NETWORKS)
def test_modules_and_statistics_are_those_of_torch(name: str) -> None:
    model = network(name)
    named = [module for _, module in model.named_modules(remove_duplicate=False)]
    assert [*map(id, every_module(model))] == [*map(id, named)]
    assert [*map(id, RunningStatistics(model)())] == [*map(id, batch_statistics(model).values())]


def test_first_head_is_found_in_the_order_of_torch() -> None:
    heads = [DRHead(num_classes=2, in_channels=2) for _ in range(2)]
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), heads[1]), heads[0])
    assert find_head(model) is heads[1]
    assert find_head(nn.Sequential(nn.Linear(2, 2))) is None


class OwnHead(DRHead):
    """A project's own."""


def test_head_of_a_derived_class_is_found() -> None:
    head = OwnHead(num_classes=2, in_channels=2)
    assert find_head(nn.Sequential(head)) is head


def test_all_of_a_classifier_is_found() -> None:
    cfg = Config.fromfile(ROOT / 'configs/_base_/models/resnet8_digits.py')
    model = MODELS.build(cfg.model | dict(type='mmpretrain.ImageClassifier'))
    assert set(every_module(model)) == set(model.modules())
    assert isinstance(find_head(model), DRHead)
    assert all(isinstance(value, torch.Tensor) for value in RunningStatistics(model)())


@pytest.mark.parametrize('is_told', [True, False])
def test_layer_that_comes_later_is_found(is_told: bool) -> None:
    model = nn.Sequential(nn.BatchNorm1d(2))
    statistics = RunningStatistics(model)
    assert len(statistics()) == 2
    model.append(nn.BatchNorm1d(3))
    if is_told:
        statistics.look_anew()
    for _ in range(1 if is_told else LOOKED_UP):
        found = statistics()
    assert [*map(id, found)] == [*map(id, batch_statistics(model).values())]


def test_statistics_are_those_of_the_moment() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2))
    statistics = RunningStatistics(model)
    statistics()
    model[0].register_buffer('running_mean', torch.ones(2))
    assert statistics()[0] is model[0].running_mean
