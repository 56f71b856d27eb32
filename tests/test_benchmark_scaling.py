"""The curves: fitted exponents, that every series runs, what is drawn, and the estimate that is made of them."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from command import ROOT, benchmark
from scipy.stats import linregress

RESULTS = ROOT / 'benchmarks/results'


@pytest.fixture
def scaling() -> ModuleType:
    return benchmark('scaling')


def test_exponent_is_that_of_the_power_law(scaling: ModuleType) -> None:
    sizes = np.array([10, 100, 1000, 10_000])
    exponent, error = scaling.fitted(sizes, 3e-5 * sizes**1.7)
    assert (exponent, error) == (pytest.approx(1.7), pytest.approx(0, abs=1e-6))


@pytest.mark.parametrize('points', [3, 5, 8])
def test_fit_is_the_regression_through_the_upper_half(scaling: ModuleType, points: int) -> None:
    sizes = 4.0 ** np.arange(1, points + 1)
    values = sizes * np.random.default_rng(points).uniform(0.8, 1.2, points)
    upper = slice(-max(3, points - points // 2), None)
    expected = linregress(np.log(sizes[upper]), np.log(values[upper]))
    assert scaling.fitted(sizes, values) == pytest.approx((expected.slope, expected.stderr))


@pytest.mark.parametrize(('touches', 'is_met'), [(1, False), (2, True)])
def test_series_too_steep_does_not_meet_its_goal(
    scaling: ModuleType, monkeypatch: pytest.MonkeyPatch, touches: int, is_met: bool
) -> None:
    monkeypatch.setattr(scaling, 'turns', lambda calls, *_: {size: [1e-9 * int(size) ** 2] * 3 for size in calls})
    series = scaling.Series('squares', 'N', (1000, 4000, 16_000), lambda size: lambda: None, touches, lambda call: 7.4)
    row = scaling.measure(series, 3, 'cpu')
    assert (row['exponent'], row['met'], row['bytes']) == (2.0, is_met, [7, 7, 7])
    assert [found['median'] for found in row['seconds']] == pytest.approx([1e-3, 16e-3, 256e-3])


def test_every_series_runs_at_its_smallest_size(scaling: ModuleType, tmp_path: Path) -> None:
    every = scaling.all_series('cpu', tmp_path, 1 / 64)
    assert set(scaling.QUICK) < {series.name for series in every}
    for series in every:
        assert len(series.sizes) >= 3
        series.call(series.sizes[0])()


@pytest.mark.parametrize(('images', 'classes'), [(20_000, 1000), (200_000, 100), (640_000, 1000)])
def test_labels_have_the_size_and_the_skew_they_are_made_for(scaling: ModuleType, images: int, classes: int) -> None:
    counts = benchmark('scaling_series').skewed_counts(images, classes)
    assert len(counts) == classes
    assert counts.sum() == pytest.approx(images, rel=0.02)
    assert counts[0] / counts[-1] == pytest.approx(100, rel=0.5)


def test_committed_exponents_are_those_of_the_committed_times(scaling: ModuleType) -> None:
    result = json.loads((RESULTS / 'scaling_cpu.json').read_text())
    for row in result['rows']:
        exponent, _ = scaling.fitted(row['sizes'], [found['median'] for found in row['seconds']])
        assert row['exponent'] == pytest.approx(exponent, abs=0.01)
        assert row['met'] == (row['exponent'] <= row['touches'] + result['allowed'])
    worst = max(row['exponent'] - row['touches'] for row in result['rows'])
    assert result['ratios']['worst_excess'] == pytest.approx(worst)


def test_picture_has_a_panel_for_each_part_and_a_line_for_each_series() -> None:
    rows = json.loads((RESULTS / 'scaling_cpu.json').read_text())['rows']
    figure = benchmark('scaling_figure').scaling()
    drawn = {axes.get_title(): len(axes.lines) for axes in figure.axes if axes.lines}
    assert drawn == {part: sum(row['part'] == part for row in rows) for part in {row['part'] for row in rows}}


def test_bytes_for_one_feature_of_two_processes_foretell_those_of_four() -> None:
    estimate = benchmark('estimate')
    sent = json.loads((RESULTS / 'distributed_cpu.json').read_text())
    shape, row = sent['shape'], sent['rows'][1]
    measured = estimate.read_constants()
    features = shape['batch'] * shape['D']
    for name, processes in (('all_gather', 1), ('all_reduce', 4)):
        counted = sum(call['bytes'] for call in row['collectives']['running']['step'] if call['call'] == name)
        assert measured.wire[name] * features * processes == pytest.approx(counted, rel=1e-3)
    counted = sum(call['bytes'] for call in row['collectives']['running']['epoch'])
    assert measured.epoch * shape['K'] * shape['D'] == pytest.approx(counted)


def test_estimate_of_one_gpu_sends_nothing_and_of_many_what_a_ring_sends() -> None:
    estimate = benchmark('estimate')
    measured = estimate.Constants(dict(all_gather=4.0, all_reduce=4.0), 4.0, (1e-6, 80.0), 1e-7, 1e-9)
    run = estimate.Setting(gpus=1, images=1000, classes=10, width=8, batch=4, backbone=100)
    alone = {line.what: line.value for line in estimate.estimate(run, measured)}
    assert alone['wire of a step, DR loss'] == alone['wire of an epoch, centroids'] == '0 B'
    four = {line.what: line.value for line in estimate.estimate(run._replace(gpus=4), measured)}
    # 3 others send their 4 x 8 float32; three quarters of the 16 x 8 gradients pass twice.
    assert four['wire of a step, DR loss'] == f'{3 * 32 * 4 + 2 * 3 * 128} kB'.replace('1152', '1.15')
    assert four['steps of an epoch'] == '62'
    assert four['reading the list'] == '0.0 s'
    assert '80 kB' in four['memory of the list']


def test_estimate_without_its_result_files_says_which_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='distributed_cpu'):
        benchmark('estimate').read_constants(tmp_path)
