"""Curves over training and the timeline of stages: what stands in the axes."""

from typing import Any

import numpy as np
import pytest

from mmdrl.errors import DataError
from mmdrl.visualization import (
    accuracy_figure,
    loss_figure,
    radius_figure,
    run_accuracy_figure,
    stage_timeline_figure,
)
from mmdrl.visualization.curve_axes import progress
from mmdrl.visualization.style import GROUP_STYLES

TRAIN: list[dict[str, Any]] = [
    {'iter': 5, 'epoch': 1, 'loss': 2.0, 'loss_cls': 2.0, 'lr': 0.1, 'stage': 'warm-up'},
    {'iter': 10, 'epoch': 1, 'loss': 1.5, 'loss_cls': 1.5, 'lr': 0.1, 'stage': 'warm-up', 'radius/mean': 0.3},
    {'iter': 20, 'epoch': 2, 'loss': 3.0, 'loss_cls': 1.0, 'loss_dr': 2.0, 'lr': 0.001, 'stage': 'feature'},
]


def lines(axes) -> dict[str, tuple[list[float], list[float]]]:
    """Points of each line with a name."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.lines
        if not line.get_label().startswith('_')
    }


def test_losses_stand_over_epochs_and_stages_are_marked():
    losses, rates = loss_figure(TRAIN).axes
    assert lines(losses) == {
        'loss': ([0.5, 1, 2], [2, 1.5, 3]),
        'loss_cls': ([0.5, 1, 2], [2, 1.5, 1]),
        'loss_dr': ([2], [2]),
    }
    assert [text.get_text() for text in losses.texts] == ['warm-up', 'feature']
    assert [
        line.get_xdata()[0] for line in losses.lines if len(line.get_xdata()) == 2 and line.get_ydata() == [0, 1]
    ] == [1]
    assert list(rates.lines[0].get_ydata()) == [0.1, 0.1, 0.001]
    assert rates.get_yscale() == 'log'
    assert rates.get_xlabel() == 'epoch'


def test_rate_that_hardly_changes_has_a_linear_scale():
    train = [dict(iter=i, epoch=i, loss=1.0, lr=0.1 - 0.001 * i) for i in range(1, 5)]
    assert loss_figure(train).axes[1].get_yscale() == 'linear'


def test_one_loss_is_not_drawn_twice():
    train = [{key: entry[key] for key in ('iter', 'epoch', 'loss', 'loss_cls', 'lr')} for entry in TRAIN[:2]]
    assert list(lines(loss_figure(train).axes[0])) == ['loss']


def test_run_without_epochs_is_drawn_over_iterations():
    train = [dict(iter=i, loss=1.0, lr=0.1) for i in (7, 14)]
    assert progress(train).tolist() == [7, 14]
    assert loss_figure(train).axes[1].get_xlabel() == 'iteration'


def test_accuracies_have_a_panel_per_classifier_and_a_gap_where_nan():
    val = [
        {'epoch': 5, 'many': 90.0, 'few': float('nan'), 'all': 50.0, 'ncm/all': 40.0},
        {'epoch': 10, 'many': 95.0, 'few': 20.0, 'all': 60.0, 'ncm/all': 45.0},
    ]
    linear, ncm = accuracy_figure(val).axes
    found = lines(linear)
    assert found['many'] == ([5, 10], [90, 95])
    np.testing.assert_array_equal(found['few'][1], [np.nan, 20])
    assert lines(ncm) == {'all': ([5, 10], [40, 45])}


def test_runs_are_compared_group_by_group():
    runs = {name: [{'epoch': 1, 'few': few, 'all': 50.0}] for name, few in (('a', 10.0), ('b', 20.0))}
    many, _, few, _ = run_accuracy_figure(runs).axes
    assert lines(many) == {}
    assert lines(few) == {'a': ([1], [10]), 'b': ([1], [20])}


def test_radii_have_a_band_and_a_line_per_group():
    parts = dict(mean=0.3, smallest=0.1, largest=0.9, many=0.1, medium=0.2, few=0.5)
    train = [{'iter': e, 'epoch': e, **{f'radius/{k}': v / e for k, v in parts.items()}} for e in (1, 2)]
    (axes,) = radius_figure(train).axes
    assert lines(axes) == {
        'many': ([1, 2], [0.1, 0.05]),
        'medium': ([1, 2], [0.2, 0.1]),
        'few': ([1, 2], [0.5, 0.25]),
        'mean of all classes': ([1, 2], [0.3, 0.15]),
    }
    corners = axes.collections[0].get_paths()[0].vertices
    assert {(1, 0.1), (2, 0.05), (1, 0.9), (2, 0.45)} <= {(x, round(y, 9)) for x, y in corners}


def test_groups_look_different_without_colour():
    assert len({style.marker for style in GROUP_STYLES.values()}) == 4
    assert len({str(style.line_style) for style in GROUP_STYLES.values()}) == 4


@pytest.mark.parametrize('draw', [loss_figure, accuracy_figure, radius_figure])
@pytest.mark.parametrize('entries', [[], [dict(iter=1, epoch=1, lr=0.1)]])
def test_logs_without_the_numbers_are_refused(draw, entries):
    with pytest.raises(DataError, match='got none'):
        draw(entries)


STAGES: list[dict[str, Any]] = [
    dict(name='feature', epochs=(1, 40), frozen=[], notes=['sampler A']),
    dict(name='classifier', epochs=(41, 50), frozen=['backbone', 'neck'], notes=[]),
]


def test_stages_are_bars_over_their_epochs_hatched_where_frozen():
    bars, rates = stage_timeline_figure(STAGES, [dict(iter=1, epoch=1, lr=0.1)]).axes
    assert [(bar.get_x(), bar.get_width(), bool(bar.get_hatch())) for bar in bars.patches] == [
        (0, 40, False),
        (40, 10, True),
    ]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ['feature', 'classifier']
    words = [text.get_text() for text in bars.texts]
    assert words == ['epochs 1 to 40', 'sampler A', 'epochs 41 to 50', 'frozen: backbone, neck']
    assert rates.get_xlim() == (0, 50)


def test_timeline_without_a_log_says_so():
    rates = stage_timeline_figure(STAGES).axes[1]
    assert [text.get_text() for text in rates.texts] == ['No learning rate was logged.']


@pytest.mark.parametrize(('stages', 'message'), [([], 'got none'), ([dict(name='a', epochs=(3, 2))], 'got 3, 2')])
def test_stages_that_are_none_are_refused(stages, message):
    with pytest.raises(DataError, match=message):
        stage_timeline_figure(stages)


def test_titles_of_the_panels_overlap_no_curve_and_no_stage():
    val = [{'epoch': e, 'many': 97.0, 'ncm/many': 97.0, 'all': 50.0, 'stage': 'warm-up'} for e in (1, 2)]
    figure = accuracy_figure(val)
    figure.canvas.draw()
    for axes, title in zip(figure.axes, ('linear', 'nearest class mean'), strict=True):
        assert axes.get_title() == title
        box = axes.title.get_window_extent()
        others = [text.get_window_extent() for text in axes.texts] or [axes.get_window_extent()]
        assert not any(box.overlaps(other) for other in [*others, axes.patch.get_window_extent()])
