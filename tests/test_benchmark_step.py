"""The benchmark of a training step runs, counts what a GPU would launch, and writes what its table says."""

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / 'benchmarks'))
import step as benchmark
from launches import Launches


def test_calls_that_only_look_are_not_counted() -> None:
    values = torch.randn(4, 3, device='meta')
    with Launches() as counted:
        (values.t()[:2].unsqueeze(0).detach() @ values).sum()
    assert dict(counted.calls) == {'mm': 1, 'sum': 1} or dict(counted.calls) == {'bmm': 1, 'sum': 1}


def test_both_heads_get_the_same_network_and_images() -> None:
    one, other = (benchmark.Step('ResNet-8', head, 'eager', 'cpu') for head in ('ce', 'dr'))
    assert torch.equal(one.images, other.images)
    assert one.model.backbone.state_dict().keys() == other.model.backbone.state_dict().keys()


def test_a_step_trains_the_model_with_both_losses() -> None:
    step = benchmark.Step('ResNet-8', 'dr', 'eager', 'cpu')
    before = step.model.backbone.conv1.weight.clone()
    step()
    assert step.forward(step.images, step.samples, mode='loss')['loss_dr'] > 0
    assert not torch.equal(step.model.backbone.conv1.weight, before)
    assert step.model.head.centroids.sums.counts.sum() == 128


def test_result_file_holds_ratios_and_launches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / 'step_cpu.json'
    words = ['--networks', 'ResNet-8', '--modes', 'eager', 'channels last', '--rounds', '2', '--out', str(out)]
    monkeypatch.setattr(sys, 'argv', ['step.py', *words])
    benchmark.main(benchmark.parse_args())
    content = json.loads(out.read_text())
    assert [row['mode'] for row in content['rows']] == ['eager', 'channels last']
    for row in content['rows']:
        assert row['ratio']['low'] <= row['ratio']['median'] <= row['ratio']['high']
        assert 0.9 < row['memory_ratio'] < 1.2
    assert set(content['kernels']) == {'cross-entropy', 'running', 'ema', 'epoch'}
    assert content['memory']['ratio'] == max(row['memory_ratio'] for row in content['rows'])
