"""What a reader of a page has when its snippets run: checkpoints of the runs it names, and what was made of them."""

import re
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from mmdrl.engine.config import load_config
from mmdrl.engine.export import export
from mmdrl.shipped import shipped_configs

ROOT = Path(__file__).parents[1]


def prepare(text: str, folder: Path) -> None:
    """Make the files that a page names, of models that have not been trained.

    Args:
        text: The page.
        folder: Where its snippets run.
    """
    named = re.findall(r'work_dirs/([\w-]+)/(epoch_\d+\.pth)', text)
    found = [(run, file) for run, file in named if run in shipped_configs()]
    for run, file in sorted(set(found)):
        write_checkpoint(f'{run}.py', folder / 'work_dirs' / run / file)
    for file in sorted(set(re.findall(r"'(digits\.(?:onnx|pt))'", text))):
        run, checkpoint = found[0]
        export(f'{run}.py', folder / 'work_dirs' / run / checkpoint, folder / file, check=False)
    if "'FILE.pth'" in text:
        write_checkpoint('drl_r8_digits-lt.py', folder / 'FILE.pth')
    for name in ('mine.py', 'CONFIG.py'):
        (folder / name).write_text("_base_ = 'mmdrl::digits_lt/drl_r8_digits-lt-ir50.py'\n")


def write_checkpoint(config: str, path: Path) -> None:
    """Checkpoint of the model of a config, with the class counts of the digits and some centroids."""
    torch.manual_seed(0)
    cfg = load_config(config)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model: Any = MODELS.build({'data_preprocessor': cfg.get('data_preprocessor'), **cfg.model})
    head = model.head
    head.set_class_counts(torch.tensor([120, 77, 50, 32, 21, 13, 8, 5, 3, 2]))
    head.centroids.accumulate(torch.randn(head.num_classes, head.in_channels), torch.arange(head.num_classes))
    head.centroids.publish()
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = dict(dataset_meta=dict(classes=[str(digit) for digit in range(10)]))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
