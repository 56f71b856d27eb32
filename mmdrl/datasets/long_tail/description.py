"""A long tail in words."""

from typing import Any


def description(dataset: Any) -> str:
    """What a :class:`~mmdrl.datasets.LongTailDataset` holds, in lines; without numbers until it has been read."""
    body = [f'Part: \t{dataset.settings.part} of {type(dataset.dataset).__name__}']
    if dataset._fully_initialized:
        counts = dataset.class_counts
        ratio = f', ratio {dataset.actual_imbalance_ratio:g}' if counts.all() else ''
        groups = ' / '.join(str(int(mask.sum())) for mask in dataset.shot_groups().values())
        body += [
            f'Number of samples: \t{len(dataset)}',
            f'Number of categories: \t{len(counts)}',
            f'Largest and smallest: \t{counts.max()} and {counts.min()}{ratio}',
            f'Many / medium / few: \t{groups} (more than 100, fewer than 20)',
        ]
    else:
        body.append("Haven't been initialized")
    if dataset.settings.holdout_per_class:
        body.append(f'Held out: \t{dataset.settings.holdout_per_class} of every class')
    return '\n'.join([f'Dataset {type(dataset).__name__}', *(f'    {line}' for line in body)])
