"""The figure of class counts and the tables of data sets: what stands in them."""

import io
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.transforms import Bbox
from numpy.testing import assert_allclose, assert_array_equal
from rich.console import Console

from mmdrl.errors import DataError
from mmdrl.stats import class_statistics, long_tail_counts
from mmdrl.visualization import class_counts_figure, largest_and_smallest_table, statistics_table

COUNTS = np.array([30, 500, 5, 120, 60])


def curves(figure):
    return [line for line in figure.axes[0].lines if not line.get_label().startswith('_')]


def test_curve_is_the_counts_from_large_to_small_on_a_log_scale():
    figure = class_counts_figure({'one': COUNTS})
    (curve,) = curves(figure)
    assert_array_equal(curve.get_xdata(), [1, 2, 3, 4, 5])
    assert_array_equal(curve.get_ydata(), [500, 120, 60, 30, 5])
    assert figure.axes[0].get_yscale() == 'log'


def test_exponential_profile_is_a_straight_line():
    curve = curves(class_counts_figure({'lt': long_tail_counts(100, 5000, 100)}))[0]
    slopes = np.diff(np.log(curve.get_ydata()))
    assert_allclose(slopes, -np.log(100) / 99, atol=0.02)


def test_sets_of_different_numbers_of_classes_are_drawn_by_share():
    figure = class_counts_figure({'five': COUNTS, 'two': [9, 3]})
    assert [line.get_xdata().tolist() for line in curves(figure)] == [[10, 30, 50, 70, 90], [25, 75]]
    assert '%' in figure.axes[0].get_xlabel()


def test_group_edges_are_lines_and_groups_are_named():
    axes = class_counts_figure({'one': COUNTS}, many=60, few=10).axes[0]
    assert {line.get_ydata()[0] for line in axes.lines if line.get_label().startswith('_')} == {60, 10}
    assert [text.get_text() for text in axes.texts] == [
        'many-shot\n(> 60)',
        'medium-shot\n(10 to 60)',
        'few-shot\n(< 10)',
    ]
    axes = class_counts_figure({'one': COUNTS}, many=60, few=10, edges='inclusive').axes[0]
    assert [text.get_text() for text in axes.texts] == [
        'many-shot\n(≥ 60)',
        'medium-shot\n(11 to 59)',
        'few-shot\n(≤ 10)',
    ]


@pytest.mark.parametrize(('many', 'few', 'names'), [(25, 20, 2), (20, 20, 2), (100, 0, 2), (0, 0, 1)])
def test_group_without_room_has_no_name(many, few, names):
    assert len(class_counts_figure({'one': COUNTS}, many=many, few=few).axes[0].texts) == names


def test_legend_has_images_and_groups():
    figure = class_counts_figure({'one': COUNTS, 'gap': [500, 0, 5]})
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ['one: 715 images (2 / 2 / 1)', 'gap: 505 images (1 / 0 / 2, 1 empty)']


def test_empty_class_is_left_out():
    assert curves(class_counts_figure({'gap': [500, 0, 5]}))[0].get_ydata().tolist() == [500, 5]


def test_sets_are_told_apart_in_grey():
    """Neighbours differ in line style, so lightness need not bear it alone."""
    lines = curves(class_counts_figure({str(number): COUNTS + number for number in range(12)}))
    assert len({(str(line._dash_pattern), line.get_linestyle(), line.get_color()) for line in lines}) == 12
    assert len({str(line._unscaled_dash_pattern) for line in lines[:6]}) == 6
    lightness = [rgb_to_hsv(to_rgb(line.get_color()))[2] for line in lines[:3]]
    assert len(set(lightness)) == 3


@pytest.mark.parametrize('num_classes', [1, 2, 10, 31, 100, 365, 1000, 8142])
def test_nothing_overlaps(num_classes):
    counts = {'a': long_tail_counts(num_classes, 1000, 500), 'b': np.full(num_classes, 3)}
    figure = class_counts_figure(counts)
    figure.canvas.draw()
    axes, renderer = figure.axes[0], figure.canvas.get_renderer()
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert len(ticks) >= 2
    shown = [tick.label1 for tick in axes.xaxis.get_major_ticks() if tick.label1.get_text()]
    for texts in (shown, [tick.label1 for tick in axes.yaxis.get_major_ticks()], axes.texts):
        boxes = [text.get_window_extent(renderer) for text in texts]
        assert not any(Bbox.intersection(one, other) for one, other in pairwise(boxes))
    whole = figure.bbox
    for text in (*axes.texts, *figure.legends[0].get_texts()):
        box = text.get_window_extent(renderer)
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
        assert whole.y0 <= box.y0


@pytest.mark.parametrize('number', [1, 14])
def test_long_name_loses_its_middle_and_stays_on_the_figure(number):
    name = f'/{"long/" * 40}'
    figure = class_counts_figure({f'{name}{one}.txt': COUNTS * 1000 for one in range(number)})
    figure.canvas.draw()
    first = figure.legends[0].get_texts()[0]
    assert first.get_text().startswith('/long/lon')
    assert '0.txt: 715,000 images' in first.get_text()
    boxes = [text.get_window_extent(figure.canvas.get_renderer()) for text in figure.legends[0].get_texts()]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)


@pytest.mark.parametrize('name', ['_hidden.txt', '$a^$.txt'])
def test_any_name_is_in_the_legend(name):
    figure = class_counts_figure({name: COUNTS, 'other': COUNTS})
    figure.canvas.draw()
    assert len(figure.legends[0].get_texts()) == 2


def test_large_counts_are_written_out():
    figure = class_counts_figure({'a': [5_000_000, 1]})
    figure.canvas.draw()
    assert '1,000,000' in [tick.label1.get_text() for tick in figure.axes[0].yaxis.get_major_ticks()]


@pytest.mark.parametrize(
    ('counts', 'message'),
    [({}, 'at least'), ({'no': []}, "'no'"), ({'flat': [[1, 2]]}, r"'flat'.*\(1, 2\)"), ({'none': [0, 0]}, "'none'")],
)
def test_counts_that_cannot_be_drawn_are_refused(counts, message):
    with pytest.raises(DataError, match=message):
        class_counts_figure(counts)


def printed(table) -> list[list[str]]:
    stream = io.StringIO()
    Console(file=stream, width=500).print(table)
    lines = [line for line in stream.getvalue().splitlines() if line[0] in '│┃']
    return [[cell.strip() for cell in line.strip('│┃').replace('┃', '│').split('│')] for line in lines]


def test_statistics_table_has_a_column_per_set():
    head, *rows = printed(statistics_table({'one': class_statistics(COUNTS), 'gap': class_statistics([5000, 0])}))
    assert head == ['', 'one', 'gap']
    assert ['images', '715', '5,000'] in rows
    assert ['mean', '143', '2,500'] in rows
    assert ['imbalance ratio', '100', '-'] in rows
    assert ['gini', '0.604', '0.5'] in rows  # by hand: (-4 * 5 - 2 * 30 + 2 * 120 + 4 * 500) / (5 * 715)


def test_largest_and_smallest_classes_by_the_first_set():
    counts = {'train': [30, 500, 5, 120, 60, 7], 'val': [1, 2, 3, 4, 5, 6]}
    names = ['ant', 'bee', 'cat', 'dog', 'elk', 'fox']
    assert printed(largest_and_smallest_table(counts, names, head=2)) == [
        ['class', 'train', 'val'],
        ['1 bee', '500', '2'],
        ['3 dog', '120', '4'],
        ['...', '', ''],
        ['5 fox', '7', '6'],
        ['2 cat', '5', '3'],
    ]


def test_names_are_no_markup():
    head, *_ = printed(statistics_table({'list[bold].txt': class_statistics(COUNTS), '[/x]': class_statistics([1])}))
    assert head == ['', 'list[bold].txt', '[/x]']
    assert printed(largest_and_smallest_table({'[/x]': [1]}, ['[red]']))[1] == ['0 [red]', '1']


def test_unsigned_counts_are_sorted_alike():
    table = largest_and_smallest_table({'a': np.array([0, 200, 7], np.uint8)})
    assert [row[0] for row in printed(table)[1:]] == ['1', '2', '0']


def test_few_classes_are_all_shown_once():
    assert len(printed(largest_and_smallest_table({'train': COUNTS}, head=3))) == 1 + 5


@pytest.mark.parametrize(('counts', 'names'), [({'a': [1, 2], 'b': [1]}, None), ({'a': [1, 2]}, ['x']), ({}, None)])
def test_sets_of_other_classes_share_no_table(counts, names):
    with pytest.raises(DataError, match='same classes'):
        largest_and_smallest_table(counts, names)
