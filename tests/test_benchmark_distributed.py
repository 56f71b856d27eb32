"""The benchmark of what processes send each other: that it runs, and the numbers of its committed result file."""

import json
from pathlib import Path

import pytest
from command import ROOT, benchmark
from forks import Forks

# One step sends features, labels, the gradient of all features, and whether anything was not finite.
STEP = ['all_gather', 'all_gather', 'all_reduce', 'all_reduce']


def check(result: dict) -> None:
    """Calls and bytes follow from the sizes."""
    shape = result['shape']
    classes, width, batch = shape['K'], shape['D'], shape['batch']
    for row in result['rows']:
        found = row['collectives']
        whole = row['processes'] * batch * width * 4
        for mode in ('running', 'epoch'):
            assert [call['call'] for call in found[mode]['step']] == STEP
            assert [call['bytes'] for call in found[mode]['step']][:3] == [batch * width * 4, batch * 8, whole]
            sent = [(call['call'], call['bytes']) for call in found[mode]['epoch']]
            assert sent == [('all_reduce', classes * (width + 1) * 4), ('all_reduce', classes * 4)]
        assert [call['call'] for call in found['ema']['step']] == [*STEP[:2], 'all_gather', 'all_gather', *STEP[2:]]
        assert row['ratio'] == pytest.approx(
            row['milliseconds']['publish'] / row['milliseconds']['gradients'], rel=0.1, abs=0.05
        )


def test_committed_numbers_follow_from_the_sizes() -> None:
    result = json.loads((ROOT / 'benchmarks/results/distributed_cpu.json').read_text())
    assert result['shape'] == dict(K=8142, D=2048, batch=32, gradients=benchmark('distributed').RESNET50)
    assert [row['processes'] for row in result['rows']] == [2, 4]
    check(result)


@pytest.mark.slow
@pytest.mark.distributed
def test_benchmark_counts_anew(forks: Forks, tmp_path: Path) -> None:
    sizes = ['--processes', 2, '--classes', 7, '--width', 5, '--batch', 3, '--gradients', 11, '--rounds', 1]
    forks.run(1, ROOT / 'benchmarks/distributed.py', *sizes, '--out', 'new/d.json', cwd=tmp_path)
    result = json.loads((tmp_path / 'new/d.json').read_text())
    for row in result['rows']:  # times of nothing tell nothing
        row['ratio'], row['milliseconds'] = 1.0, dict(publish=1.0, gradients=1.0)
    check(result)
