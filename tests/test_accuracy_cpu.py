"""What lets the short plan train on the CPU in a third of the time: bfloat16, and a compiled backbone."""

import sys
from types import SimpleNamespace

import pytest
import torch
from command import ROOT
from torch import nn

from mmdrl.errors import ConfigError

sys.path.append(str(ROOT / 'benchmarks'))
from evidence.compiled_backbone import CompiledBackboneHook
from evidence.cpu_bfloat16 import CPUBfloat16OptimWrapper


def test_forward_pass_is_in_bfloat16_while_parameters_and_gradients_stay_float32():
    model = nn.Linear(4, 2)
    wrapper = CPUBfloat16OptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        out = model(torch.ones(3, 4))
    assert out.dtype == torch.bfloat16
    wrapper.backward(out.float().square().sum())
    assert model.weight.dtype == model.weight.grad.dtype == torch.float32
    assert model(torch.ones(3, 4)).dtype == torch.float32  # as in validation


def test_a_model_elsewhere_is_refused_rather_than_trained_in_float32():
    model = nn.Linear(4, 2, device='meta')
    wrapper = CPUBfloat16OptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(ConfigError, match=r'on the CPU, got meta. Use --device cpu'), wrapper.optim_context(model):
        pass


def test_only_training_runs_what_is_compiled_and_names_stay(monkeypatch):
    monkeypatch.setattr(torch, 'compile', lambda forward, **_: lambda *args: forward(*args) + 100)
    model = nn.Module()
    model.backbone = nn.Identity()
    model.backbone.register_buffer('kept', torch.zeros(1))
    names = list(model.state_dict())
    CompiledBackboneHook().before_train(SimpleNamespace(model=model))
    assert model.backbone(torch.zeros(1)) == 100
    model.backbone.eval()
    assert model.backbone(torch.zeros(1)) == 0
    assert list(model.state_dict()) == names
