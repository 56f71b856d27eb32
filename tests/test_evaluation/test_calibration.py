"""Calibration: errors over all samples and by group, from four numbers per sample, whatever head predicts."""

import math

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample
from numpy.testing import assert_allclose, assert_array_equal
from test_evaluation.test_reliability import errors_by_loop

from mmdrl.errors import ConfigError, DataError
from mmdrl.evaluation import Calibration
from mmdrl.registry import METRICS, MODELS

COUNTS = [300, 150, 50, 19, 3]  # many: 0, 1; medium: 2; few: 3, 4
GROUPS = {'many': [0, 1], 'medium': [2], 'few': [3, 4]}


@pytest.fixture
def scores(generator) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.randint(0, 5, (60,), generator=generator)
    logits = torch.randn(60, 5, generator=generator) + 2 * torch.nn.functional.one_hot(labels, 5)
    return logits.softmax(dim=1), labels


def samples(scores, labels) -> list[dict]:
    return [
        dict(pred_score=row, pred_label=row.argmax()[None], gt_label=label[None])
        for row, label in zip(scores, labels, strict=True)
    ]


def evaluate(metric, rows, batch_size=7) -> dict:
    for start in range(0, len(rows), batch_size):
        metric.process(None, rows[start : start + batch_size])
    return metric.evaluate(len(rows))


@pytest.mark.parametrize('num_bins', [5, 15])
def test_values_equal_loops_over_all_samples_and_those_of_a_group(scores, num_bins):
    probabilities, labels = scores
    metric = Calibration(num_bins=num_bins, class_counts=COUNTS)
    found = evaluate(metric, samples(*scores))
    assert set(found) == set(metric.rules)
    confidence, predicted = probabilities.max(dim=1)
    truth = torch.nn.functional.one_hot(labels, 5)
    brier = (probabilities - truth).square().sum(dim=1)
    for name, members in [('', range(5)), *((f'_{name}', members) for name, members in GROUPS.items())]:
        inside = [label in members for label in labels.tolist()]
        expected = errors_by_loop(confidence[inside].tolist(), (predicted == labels)[inside].tolist(), num_bins)
        assert (found[f'ece{name}'], found[f'mce{name}']) == pytest.approx(expected, abs=1e-4)
        assert found[f'brier{name}'] == pytest.approx(brier[inside].mean().item(), rel=1e-5)


def test_four_numbers_of_every_sample_are_kept_and_no_scores(scores):
    probabilities, labels = scores
    metric = Calibration(class_counts=COUNTS)
    metric.process(None, samples(*scores))
    assert [len(entry) for entry in metric.results] == [4] * 60
    metric.evaluate(60)
    kept = metric.per_sample
    assert_array_equal(kept['label'], labels)
    assert_array_equal(kept['linear'], probabilities.argmax(dim=1))
    assert_allclose(kept['confidence'], probabilities.amax(dim=1))
    assert {name: str(values.dtype) for name, values in kept.items()} == dict(
        label='int64', linear='int64', confidence='float32', brier='float32'
    )


def test_group_without_a_sample_is_nan(scores):
    probabilities, labels = scores
    rows = samples(probabilities[labels < 3], labels[labels < 3])
    found = evaluate(Calibration(class_counts=COUNTS), rows)
    assert all(math.isnan(found[f'{name}_few']) for name in ('ece', 'mce', 'brier'))
    assert not any(math.isnan(found[f'{name}_medium']) for name in ('ece', 'mce', 'brier'))


def test_one_hot_scores_are_right_or_wrong():
    rows = samples(torch.eye(5), torch.tensor([0, 1, 2, 3, 0]))  # the last one is wrong
    found = evaluate(Calibration(class_counts=COUNTS), rows)
    assert (found['ece'], found['mce'], found['brier']) == pytest.approx((20, 20, 0.4))
    assert (found['ece_few'], found['brier_few']) == (0, 0)


def test_label_that_the_head_tells_counts_rather_than_the_first_of_the_largest_scores():
    row = dict(pred_score=torch.full((2,), 0.5), pred_label=torch.tensor([1]), gt_label=torch.tensor([1]))
    assert evaluate(Calibration(class_counts=[5, 5]), [row])['ece'] == 50  # of confidence 0.5, and right
    assert evaluate(Calibration(class_counts=[5, 5]), [{**row, 'pred_label': torch.tensor([0])}])['ece'] == 50
    del row['pred_label']
    metric = Calibration(class_counts=[5, 5])
    evaluate(metric, [row])
    assert metric.per_sample['linear'].tolist() == [0]


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_scores_are_probabilities_too(generator, dtype):
    scores = torch.randn(20, 8142, generator=generator).softmax(dim=1).to(dtype)
    metric = Calibration(class_counts=[5] * 8142)
    found = evaluate(metric, samples(scores, torch.arange(20)))
    assert 0 < found['brier'] < 2


@pytest.mark.parametrize(
    ('score', 'message'),
    [
        ([2.0, -1.0], 'sum is 1 and whose smallest is -1'),
        ([0.6, 0.6], 'sum is 1.2'),
        ([math.nan, 0.5], 'sum is nan'),
        ([math.inf, 0.5], 'sum is inf'),
        ([[0.5, 0.5]], r'shape \(K,\), got \(1, 2\)'),
    ],
)
def test_scores_that_are_no_probabilities_are_refused(score, message):
    row = dict(pred_score=torch.tensor(score), pred_label=torch.tensor([0]), gt_label=torch.tensor([0]))
    with pytest.raises(DataError, match=message):
        Calibration(class_counts=[5, 5]).process(None, [row])


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        (dict(gt_label=torch.tensor([0]), pred_label=torch.tensor([0])), "needs 'pred_score' .* 1 of 1 lack it"),
        (dict(gt_label=torch.tensor([2]), pred_score=torch.ones(1)), r'true labels must be in \[0, 1\), got 2'),
        (dict(gt_label=torch.tensor([0, 1]), pred_score=torch.ones(1)), "'gt_label' must be one label per sample"),
    ],
)
def test_samples_that_do_not_fit_are_refused(row, message):
    with pytest.raises(DataError, match=message):
        Calibration(class_counts=[5, 5]).process(None, [row])


def test_scores_of_different_numbers_of_classes_are_refused():
    rows = [dict(gt_label=torch.tensor([0]), pred_score=torch.ones(size) / size) for size in (3, 2)]
    with pytest.raises(DataError, match=r'shape \(K,\), got \(2,\), \(3,\)'):
        Calibration(class_counts=[5, 5]).process(None, rows)


def test_fewer_class_counts_than_labels_are_refused():
    with pytest.raises(DataError, match=r'in \[0, 2\), got 2 at position 2'):
        evaluate(Calibration(class_counts=[5, 5]), samples(torch.eye(5), torch.arange(5)))


@pytest.mark.parametrize('num_bins', [0, 1.5, 'ten', True])
def test_number_of_bins_out_of_range_is_refused(num_bins):
    with pytest.raises(ConfigError, match='Calibration: num_bins must be a whole number'):
        METRICS.build(dict(type='mmdrl.Calibration', num_bins=num_bins))


@pytest.mark.parametrize('settings', [{}, dict(logit_adjustment=1.0), dict(predict_with='ncm')])
@pytest.mark.parametrize('classifier', ['Linear', 'mmdrl.CosineClassifier', 'mmdrl.TauNormClassifier'])
def test_every_head_of_ours_predicts_probabilities(generator, settings, classifier):
    given = {} if classifier == 'Linear' else dict(classifier=dict(type=classifier))
    head = MODELS.build(dict(type='mmdrl.DRHead', num_classes=5, in_channels=8, **given, **settings)).eval()
    head.set_class_counts(torch.tensor(COUNTS))
    features = torch.randn(20, 8, generator=generator)
    labels = torch.arange(20) % 5
    head.centroids.accumulate(features, labels)
    head.centroids.publish()
    rows = [DataSample().set_gt_label(label) for label in labels]
    evaluator = Evaluator([dict(type='mmdrl.Calibration', class_counts=COUNTS)])
    evaluator.process(head.predict((features,), rows))
    found = evaluator.evaluate(20)
    assert 0 <= found['ece'] <= found['mce'] <= 100
    assert np.isfinite(list(found.values())).all()
