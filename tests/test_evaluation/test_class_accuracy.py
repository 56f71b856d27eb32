"""ClassAccuracy: the values of the pure functions, by the groups of the ShotAccuracy beside it."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.metrics import balanced_accuracy_score, f1_score

from mmdrl.errors import ConfigError, DataError
from mmdrl.evaluation import ClassAccuracy
from mmdrl.registry import METRICS

COUNTS = [300, 50, 5]
TARGET = [0, 0, 0, 0, 1, 1, 2, 2, 2]
PRED = [0, 0, 0, 1, 1, 2, 2, 0, 0]


def evaluate(metric, pred=PRED, target=TARGET, field='pred_label') -> dict:
    rows = [
        {'gt_label': torch.tensor([true]), field: torch.tensor([guess])}
        for guess, true in zip(pred, target, strict=True)
    ]
    metric.process(None, rows)
    return metric.evaluate(len(rows))


def test_values_are_those_of_scikit_learn():
    metric = ClassAccuracy(class_counts=COUNTS)
    found = evaluate(metric)
    assert found['balanced'] == pytest.approx(100 * balanced_accuracy_score(TARGET, PRED))
    assert found['macro_f1'] == pytest.approx(100 * f1_score(TARGET, PRED, average='macro'))
    assert found['worst_class'] == pytest.approx(100 / 3)
    assert found['head_tail_gap'] == pytest.approx(75 - 100 / 3)
    assert metric.per_class == pytest.approx([75, 50, 100 / 3])
    assert_array_equal(metric.per_sample['linear'], PRED)
    assert set(found) == set(metric.rules)


def test_class_that_is_not_tested_takes_no_part():
    found = evaluate(ClassAccuracy(class_counts=[*COUNTS, 4]))
    assert found == pytest.approx(evaluate(ClassAccuracy(class_counts=COUNTS)))


def test_gap_without_a_group_is_nan_and_the_others_are_not():
    found = evaluate(ClassAccuracy(class_counts=[30, 40, 50]))
    assert math.isnan(found['head_tail_gap'])
    assert found['balanced'] > 0


def test_a_tail_that_does_better_than_the_head_has_a_negative_gap():
    assert evaluate(ClassAccuracy(class_counts=[5, 50, 300]))['head_tail_gap'] == pytest.approx(100 / 3 - 75)


def test_edges_of_its_own_win_over_those_it_is_told():
    metric = ClassAccuracy(class_counts=COUNTS, many=40)
    metric.group_like(dict(many=1000, few=10, edges='inclusive'))
    assert (metric.many, metric.few, metric.edges) == (40, 10, 'inclusive')
    assert evaluate(metric)['head_tail_gap'] == pytest.approx((75 + 50) / 2 - 100 / 3)


def test_ncm_has_a_prefix_and_is_nan_without_centroids():
    metric = METRICS.build(dict(type='mmdrl.ClassAccuracy', classifier='ncm', prefix='ncm', class_counts=COUNTS))
    assert evaluate(metric, field='ncm_label')['ncm/balanced'] == pytest.approx(
        100 * balanced_accuracy_score(TARGET, PRED)
    )
    without = evaluate(metric)
    assert len(without) == 4
    assert all(math.isnan(value) for value in without.values())
    assert np.isnan(metric.per_class).all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(classifier='knn'), "classifier must be one of .*'knn'"),
        (dict(many=10, few=20), 'ClassAccuracy cannot group the classes. many must not lie below few'),
        (dict(many='a lot'), r"ClassAccuracy: many and few must be numbers of images, got many='a lot'"),
        (dict(class_counts=[1.5, 2]), 'class_counts must be integers'),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        METRICS.build(dict(type='mmdrl.ClassAccuracy', **arguments))


def test_missing_class_counts_name_the_hook_that_sets_them():
    with pytest.raises(ConfigError, match=r'ClassAccuracy needs .* mmdrl\.ClassCountsHook'):
        evaluate(ClassAccuracy())


def test_predictions_without_labels_are_refused():
    with pytest.raises(DataError, match="needs 'pred_label'"):
        evaluate(ClassAccuracy(class_counts=COUNTS), field='ncm_label')
