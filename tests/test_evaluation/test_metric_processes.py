"""Several processes get the metrics of one, and the labels of every sample in the order of the data set."""

import json

import pytest
import torch

from mmdrl.evaluation import Calibration, ClassAccuracy, ShotAccuracy

COUNTS = [300, 150, 100, 50, 20, 19, 3]


@pytest.mark.distributed
@pytest.mark.parametrize('count', [2, 3, 4])
def test_several_processes_get_the_result_of_one(forks, generator, tmp_path, count):
    size = 59  # does not divide by 2 nor by 3
    labels = torch.randint(0, 7, (size,), generator=generator)
    scores = torch.randn(size, 7, generator=generator).add(torch.nn.functional.one_hot(labels, 7)).softmax(dim=1)
    nearest = torch.randint(0, 7, (size,), generator=generator)
    data = dict(counts=COUNTS, labels=labels, scores=scores, nearest=nearest)
    torch.save(data, tmp_path / 'data.pt')
    forks.run(count, 'worker_metrics.py', tmp_path, cwd=tmp_path)

    rows = [
        dict(pred_score=score, pred_label=score.argmax()[None], ncm_label=near[None], gt_label=label[None])
        for score, near, label in zip(scores, nearest, labels, strict=True)
    ]
    alone = {
        'shot': ShotAccuracy(class_counts=COUNTS),
        'class': ClassAccuracy('ncm', class_counts=COUNTS),
        'calibration': Calibration(class_counts=COUNTS),
    }
    results = [json.loads((tmp_path / f'{rank}.json').read_text()) for rank in range(count)]
    for key, metric in alone.items():
        metric.process(None, rows)
        expected = metric.evaluate(size)
        for name in ('padded', 'not padded', 'uneven'):
            for result in results:
                assert result[f'{name} {key}'][0] == pytest.approx(expected)
            assert not any(result[f'{name} {key}'][1] for result in results[1:])
        for name in ('padded', 'not padded'):  # the other order is none that a sampler of MMEngine makes
            kept = results[0][f'{name} {key}'][1]
            assert kept == {field: array.tolist() for field, array in metric.per_sample.items()}
    assert all('ClassCountsHook' in result['error'] for result in results)
