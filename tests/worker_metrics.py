"""One of several processes: its share of the predictions, whose metrics must be those of all of them together."""

import json
import sys
from pathlib import Path

import torch
from mmengine.dist import get_rank, get_world_size

from mmdrl.errors import ConfigError
from mmdrl.evaluation import Calibration, ClassAccuracy, ShotAccuracy
from mmdrl.launch import finish

torch.distributed.init_process_group('gloo')
rank, world_size = get_rank(), get_world_size()
folder = Path(sys.argv[1])
data = torch.load(folder / 'data.pt', weights_only=True)
size = len(data['labels'])
results = {}
# As MMEngine's sampler shares them, the last one padded with the first; without padding; and one after the other.
padded = (*range(size), *range(-size % world_size))
cuts = (*(0, 3, 20, 41)[:world_size], size)
orders = {
    'padded': padded[rank::world_size],
    'not padded': range(rank, size, world_size),
    'uneven': range(cuts[rank], cuts[rank + 1]),
}
for name, order in orders.items():
    metrics = {
        'shot': ShotAccuracy(class_counts=data['counts'], collect_dir=str(folder / f'{name} shot')),
        'class': ClassAccuracy('ncm', class_counts=data['counts'], collect_dir=str(folder / f'{name} class')),
        'calibration': Calibration(class_counts=data['counts'], collect_dir=str(folder / f'{name} calibration')),
    }
    for start in range(0, len(order), 4):
        batch = [
            dict(
                pred_score=data['scores'][i],
                pred_label=data['scores'][i].argmax()[None],
                ncm_label=data['nearest'][i][None],
                gt_label=data['labels'][i][None],
            )
            for i in order[start : start + 4]
        ]
        for metric in metrics.values():
            metric.process(None, batch)
    for key, metric in metrics.items():
        values = metric.evaluate(size)
        kept = {field: array.tolist() for field, array in (metric.per_sample or {}).items()}
        results[f'{name} {key}'] = (values, kept)
try:
    Calibration().evaluate(size)
except ConfigError as error:
    results['error'] = str(error)
(folder / f'{rank}.json').write_text(json.dumps(results))
finish()
