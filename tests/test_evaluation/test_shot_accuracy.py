"""ShotAccuracy: groups by training images, means over classes, right under several processes."""

import math

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample
from numpy.testing import assert_allclose, assert_array_equal

from mmdrl.errors import ConfigError, DataError
from mmdrl.evaluation import ShotAccuracy, group_accuracy, per_class_accuracy
from mmdrl.registry import METRICS

COUNTS = [300, 150, 100, 50, 20, 19, 3]  # many: 0, 1; medium: 2, 3, 4; few: 5, 6


def samples(pred, target, field='pred_label') -> list[dict]:
    return [
        {'gt_label': torch.tensor([true]), field: torch.tensor([guess])}
        for guess, true in zip(pred, target, strict=True)
    ]


def evaluate(metric, data_samples, batch_size=4) -> dict:
    for start in range(0, len(data_samples), batch_size):
        metric.process(None, data_samples[start : start + batch_size])
    return metric.evaluate(len(data_samples))


def by_loop(pred, target, members) -> float:
    """Mean over the classes of a group, one class at a time."""
    accuracies = []
    for label in members:
        guesses = [guess for guess, true in zip(pred, target, strict=True) if true == label]
        if guesses:
            accuracies.append(100 * sum(guess == label for guess in guesses) / len(guesses))
    return sum(accuracies) / len(accuracies) if accuracies else math.nan


@pytest.fixture
def predictions() -> tuple[list[int], list[int]]:
    generator = np.random.default_rng(0)
    target = generator.choice(7, 60, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1, 0])
    pred = np.where(generator.random(60) < 0.6, target, generator.integers(0, 7, 60))
    return pred.tolist(), target.tolist()


@pytest.mark.parametrize('batch_size', [1, 7, 60])
def test_values_equal_a_loop_over_classes(predictions, batch_size):
    pred, target = predictions
    result = evaluate(ShotAccuracy(class_counts=COUNTS), samples(pred, target), batch_size)
    assert set(result) == {'many', 'medium', 'few', 'all'}
    assert result['many'] == pytest.approx(by_loop(pred, target, [0, 1]))
    assert result['medium'] == pytest.approx(by_loop(pred, target, [2, 3, 4]))
    assert result['few'] == pytest.approx(by_loop(pred, target, [5]))  # class 6 is not in the test set
    assert result['all'] == pytest.approx(100 * np.mean(np.equal(pred, target)))


def test_edges_decide_where_a_class_on_an_edge_belongs(predictions):
    pred, target = predictions
    result = evaluate(ShotAccuracy(class_counts=COUNTS, edges='inclusive'), samples(pred, target))
    assert result['many'] == pytest.approx(by_loop(pred, target, [0, 1, 2]))
    assert result['few'] == pytest.approx(by_loop(pred, target, [4, 5]))


def test_group_is_a_mean_over_classes_not_over_samples():
    result = evaluate(ShotAccuracy(class_counts=[500, 400]), samples([0, 0, 0, 0], [0, 0, 0, 1]))
    assert result['many'] == 50
    assert result['all'] == 75


def test_empty_group_is_nan():
    result = evaluate(ShotAccuracy(class_counts=[500, 400]), samples([0, 1], [0, 1]))
    assert (result['many'], result['all']) == (100, 100)
    assert math.isnan(result['medium'])
    assert math.isnan(result['few'])


def test_group_absent_from_the_test_set_is_nan():
    assert math.isnan(evaluate(ShotAccuracy(class_counts=[500, 5]), samples([0, 1], [0, 0]))['few'])


def test_per_class_accuracies_are_kept(predictions):
    pred, target = predictions
    metric = ShotAccuracy(class_counts=COUNTS)
    evaluate(metric, samples(pred, target))
    assert_allclose(metric.per_class, [by_loop(pred, target, [label]) for label in range(7)])
    assert np.isnan(metric.per_class[6])


def test_second_evaluation_starts_afresh():
    metric = ShotAccuracy(class_counts=[500, 5])
    evaluate(metric, samples([1, 0], [0, 1]))
    assert evaluate(metric, samples([0, 1], [0, 1]))['all'] == 100


def test_ncm_reads_its_own_label():
    both = [
        {'gt_label': torch.tensor([0]), 'pred_label': torch.tensor([1]), 'ncm_label': torch.tensor([0])}
        for _ in range(3)
    ]
    assert evaluate(ShotAccuracy(class_counts=[500, 5], classifier='ncm'), both)['all'] == 100
    assert evaluate(ShotAccuracy(class_counts=[500, 5]), both)['all'] == 0


def test_ncm_without_centroids_is_nan():
    metric = ShotAccuracy(class_counts=COUNTS, classifier='ncm')
    result = evaluate(metric, samples([0, 1], [0, 1]))
    assert set(result) == {'many', 'medium', 'few', 'all'}
    assert all(math.isnan(value) for value in result.values())
    assert metric.per_class.shape == (7,)
    assert np.isnan(metric.per_class).all()


def test_some_samples_without_ncm_label_are_an_error():
    metric = ShotAccuracy(class_counts=COUNTS, classifier='ncm')
    mixed = samples([0], [0], 'ncm_label') + samples([0], [0])
    with pytest.raises(DataError, match=r"needs 'ncm_label' .* 1 of 2 lack it"):
        metric.process(None, mixed)
    with pytest.raises(DataError, match="1 of 2 samples lack 'ncm_label'"):
        evaluate(metric, mixed, batch_size=1)


def test_linear_without_prediction_is_an_error():
    with pytest.raises(DataError, match=r"needs 'pred_label' .* 2 of 2 lack it"):
        ShotAccuracy(class_counts=COUNTS).process(None, samples([0, 1], [0, 1], 'ncm_label'))


def test_multi_label_samples_are_an_error():
    multi = [{'gt_label': torch.tensor([0, 1]), 'pred_label': torch.tensor([0])}]
    with pytest.raises(DataError, match="'gt_label' must be one label per sample"):
        ShotAccuracy(class_counts=COUNTS).process(None, multi)


def test_label_beyond_the_class_counts_is_an_error():
    with pytest.raises(DataError, match=r'in \[0, 2\), got 2 at position 1'):
        evaluate(ShotAccuracy(class_counts=[500, 5]), samples([0, 0], [0, 2]))


def test_evaluator_of_mmengine_builds_two_and_keeps_them_apart():
    evaluator = Evaluator(
        [
            dict(type='mmdrl.ShotAccuracy', class_counts=[500, 5]),
            dict(type='mmdrl.ShotAccuracy', class_counts=[500, 5], classifier='ncm', prefix='ncm'),
        ]
    )
    sample = DataSample().set_gt_label(1).set_pred_label(0)
    sample.set_field(torch.tensor([1]), 'ncm_label')
    evaluator.process([sample])
    result = evaluator.evaluate(1)
    assert (result['few'], result['all']) == (0, 0)
    assert (result['ncm/few'], result['ncm/all']) == (100, 100)


@pytest.mark.parametrize('counts', [[500, 5], (500, 5), np.array([500, 5]), torch.tensor([500, 5])])
def test_class_counts_can_be_set_later(counts):
    metric = ShotAccuracy()
    metric.class_counts = counts
    assert evaluate(metric, samples([1, 1], [0, 1]))['few'] == 100


def test_missing_class_counts_name_the_hook_that_sets_them():
    with pytest.raises(ConfigError, match=r'mmdrl\.ClassCountsHook'):
        evaluate(ShotAccuracy(), samples([0], [0]))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(classifier='knn'), "classifier must be one of .*'knn'"),
        (dict(many=10, few=20), 'many must not lie below few'),
        (dict(edges='open'), "edges must be .*'open'"),
        (dict(class_counts=[1.5, 2]), 'class_counts must be integers'),
        (dict(class_counts=[[1, 2]]), r'class_counts must be .* shape \(1, 2\)'),
        (dict(class_counts=[1, -2]), 'none negative'),
        (dict(class_counts=[]), 'class_counts must be'),
        (dict(class_counts='counts.json'), "class_counts must be .* got 'counts.json'"),
        (dict(class_counts=[[1], [2, 3]]), 'class_counts must be'),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        METRICS.build(dict(type='mmdrl.ShotAccuracy', **arguments))


def test_per_class_accuracy_of_a_worked_example():
    accuracy = per_class_accuracy([0, 1, 1, 2], [0, 0, 1, 0], 4)
    assert_allclose(accuracy, [100 / 3, 100, np.nan, np.nan])


def test_per_class_accuracy_needs_equal_shapes():
    with pytest.raises(DataError, match=r'shape \(N,\), got \(2,\) and \(3,\)'):
        per_class_accuracy([0, 1], [0, 1, 1], 2)


def test_group_accuracy_leaves_nan_out():
    groups = {'head': [True, True, False], 'tail': [False, False, True]}
    means = group_accuracy([50.0, np.nan, np.nan], groups)
    assert means['head'] == 50
    assert math.isnan(means['tail'])


def test_padded_samples_are_not_counted():
    metric = ShotAccuracy(class_counts=[500, 5])
    metric.process(None, samples([0, 1, 0], [0, 1, 1]))
    assert metric.evaluate(2)['all'] == 100


def test_counts_are_read_back_as_an_array():
    assert_array_equal(ShotAccuracy(class_counts=[500, 5]).class_counts, [500, 5])


def test_labels_of_every_sample_are_kept_in_order(predictions):
    pred, target = predictions
    metric = ShotAccuracy(class_counts=COUNTS)
    evaluate(metric, samples(pred, target), batch_size=7)
    assert set(metric.per_sample) == {'label', 'linear'}
    assert_array_equal(metric.per_sample['label'], target)
    assert_array_equal(metric.per_sample['linear'], pred)
    nearest = ShotAccuracy(class_counts=COUNTS, classifier='ncm')
    evaluate(nearest, samples(pred, target, 'ncm_label'))
    assert_array_equal(nearest.per_sample['ncm'], pred)
    evaluate(nearest, samples(pred, target))  # there are no centroids
    assert set(nearest.per_sample) == {'label'}
