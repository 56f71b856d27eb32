"""Balanced accuracy, macro F1 and worst class are those of scikit-learn over the classes that are tested."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score

from mmdrl.errors import DataError
from mmdrl.evaluation import group_accuracy, macro_f1, mean_accuracy, per_class_accuracy, worst_accuracy

LABELS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(LABELS)
def test_values_are_those_of_scikit_learn(pairs):
    pred, target = (np.array(column) for column in zip(*pairs, strict=True))
    tested = np.unique(target)
    accuracy = per_class_accuracy(pred, target, 6)
    recalls = recall_score(target, pred, labels=tested, average=None, zero_division=0)
    assert accuracy[tested] == pytest.approx(100 * recalls)
    assert mean_accuracy(accuracy) == pytest.approx(100 * recalls.mean())
    assert worst_accuracy(accuracy) == pytest.approx(100 * recalls.min())
    expected = f1_score(target, pred, labels=tested, average='macro', zero_division=0)
    assert macro_f1(pred, target, 6) == pytest.approx(100 * expected)


def test_mean_over_classes_is_the_balanced_accuracy():
    target, pred = [0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]
    expected = balanced_accuracy_score(target, pred)
    assert mean_accuracy(per_class_accuracy(pred, target, 2)) == pytest.approx(100 * expected)


def test_macro_f1_of_a_worked_example():
    # Class 0: TP 2, FP 1, FN 1; class 1: TP 1, FP 1, FN 1; class 2 is never predicted; class 3 has no image.
    target, pred = [0, 0, 0, 1, 1, 2], [0, 0, 3, 1, 0, 1]
    assert macro_f1(pred, target, 4) == pytest.approx(100 * (4 / 6 + 2 / 4 + 0) / 3)


def test_prediction_outside_the_classes_is_wrong_and_no_more():
    assert macro_f1([0, 9, -1], [0, 0, 1], 2) == pytest.approx(100 * (2 / 3 + 0) / 2)


def test_nothing_tested_is_nan():
    assert math.isnan(macro_f1([], [], 3))
    assert math.isnan(mean_accuracy([np.nan, np.nan]))
    assert math.isnan(worst_accuracy([np.nan]))
    assert math.isnan(group_accuracy([np.nan], {'tail': [True]})['tail'])


def test_label_beyond_the_classes_is_refused():
    with pytest.raises(DataError, match=r'in \[0, 2\), got 2'):
        macro_f1([0], [2], 2)


def test_what_is_no_label_is_refused():
    with pytest.raises(DataError, match='pred must be labels, whole numbers, got float64'):
        macro_f1([0.7, 0.2], [0, 1], 2)


def test_mask_of_other_classes_is_refused():
    with pytest.raises(DataError, match=r'tail must both have shape \(K,\), got \(2,\) and \(1,\)'):
        group_accuracy([50.0, 20.0], {'tail': [True]})
