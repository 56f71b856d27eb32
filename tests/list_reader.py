"""What a loader worker does with a data set over a list, in a module that a spawned process can import."""

import gc
from pathlib import Path
from typing import Any


def read_all(dataset: Any, answers: Any) -> None:
    """Read every path and label, and answer by how many bytes the private memory of this process has grown."""
    labels = dataset.get_gt_labels()
    dataset.get_data_info(0)
    gc.collect()  # touches every object of Python's, which forked processes then no longer share
    gc.disable()
    before = private_bytes()
    total = sum(len(dataset.get_data_info(row)['img_path']) for row in range(len(dataset))) + int(labels.sum())
    answers.put((private_bytes() - before, total))


def note_broken(dataset: Any, answers: Any) -> None:
    """Ask for every sample, and answer which of them there were."""
    answers.put([row for row in range(len(dataset)) if dataset.prepare_data(row) is not None])


def private_bytes() -> int:
    """Memory of this process that it shares with no other."""
    lines = Path('/proc/self/smaps_rollup').read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(('Private_Clean', 'Private_Dirty')))
