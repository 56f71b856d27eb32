"""What a validation will measure, before there is one."""

from copy import deepcopy
from typing import Any

import torch
from mmengine.runner import Runner

from mmdrl.datasets.wrappers import metainfo_of
from mmdrl.evaluation import GroupedMetric

from .model_parts import unwrap


def measured_metrics(runner: Runner) -> list[str] | None:
    """Names of the metrics, found by asking copies of them to judge one right prediction; all processes must call it.

    Returns:
        The names; ``None`` if a metric wants more of a prediction than its label and scores.
    """
    loader = runner.val_loop.dataloader
    evaluator = deepcopy(runner.val_evaluator)
    head = getattr(unwrap(runner.model), 'head', None)
    num_classes = getattr(head, 'num_classes', None) or len(metainfo_of(loader.dataset).get('classes') or ())
    try:
        for metric in evaluator.metrics:
            if isinstance(metric, GroupedMetric):
                metric.class_counts = torch.ones(num_classes, dtype=torch.long)
        batch: Any = loader.collate_fn([loader.dataset[0]])
        for sample in batch['data_samples']:
            label = sample.gt_label.reshape(1)
            sample.set_pred_label(label).set_field(label, 'ncm_label')
            sample.set_pred_score(torch.nn.functional.one_hot(label[0], num_classes).float())
        evaluator.process(data_samples=batch['data_samples'], data_batch=batch)
        return sorted(evaluator.evaluate(1))
    except Exception:  # metrics of others may want anything; the first validation tells then
        return None
