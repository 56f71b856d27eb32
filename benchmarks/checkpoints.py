"""What it costs that a checkpoint is there whole or not at all: MMEngine's plain writing and ours, in one run by turns.

``python benchmarks/checkpoints.py`` saves ResNet-50 with its momenta by ``mmengine.runner.save_checkpoint``, which
makes the bytes and hands them to the storage, and by the storage alone. Plain writing ends when the system has the
bytes; ours when the disk has them.
"""

import argparse
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from measure import medians
from mmengine.fileio import get_file_backend
from mmengine.runner.checkpoint import save_checkpoint
from rich.console import Console
from rich.table import Table
from torchvision.models import resnet50

from mmdrl.engine.atomic_files import ATOMIC
from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]


def content() -> dict[str, Any]:
    """Weights of ResNet-50, and a momentum for each parameter."""
    model = resnet50()
    momenta = [torch.rand_like(parameter) for parameter in model.parameters()]
    return dict(state_dict=model.state_dict(), optimizer=dict(enumerate(momenta)))


def quick() -> dict[str, float]:
    """Writing 50 MB whole or not at all, against plain writing."""
    data = torch.rand(12_500_000).numpy().tobytes()
    with tempfile.TemporaryDirectory() as name:
        path = str(Path(name) / 'checkpoint.pth')
        cases = dict(
            plain=lambda: get_file_backend(path).put(data, path),
            whole=lambda: get_file_backend(path, backend_args=ATOMIC).put(data, path),
        )
        seconds = medians(cases, 9)
    return {'whole or not at all / plain': seconds['whole'] / seconds['plain']}


def main(args: argparse.Namespace) -> None:
    """Measure, write, print."""
    checkpoint = content()
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    data = buffer.getvalue()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        path = str(Path(name) / 'checkpoint.pth')
        cases = {
            'storage, plain': lambda: get_file_backend(path).put(data, path),
            'storage, whole or not at all': lambda: get_file_backend(path, backend_args=ATOMIC).put(data, path),
            'save_checkpoint, plain': lambda: save_checkpoint(checkpoint, path),
            'save_checkpoint, whole or not at all': lambda: save_checkpoint(checkpoint, path, backend_args=ATOMIC),
        }
        seconds = medians(cases, args.rounds)
    rows = [
        dict(case=case, seconds=round(value, 3), ratio=round(value / seconds[f'{case.partition(",")[0]}, plain'], 2))
        for case, value in seconds.items()
    ]
    table = Table('', 'seconds', 'ratio')
    for row in rows:
        table.add_row(row['case'], str(row['seconds']), str(row['ratio']))
    Console().print(table)
    result = dict(machine=describe_environment(), megabytes=round(len(data) / 1e6), rounds=args.rounds, rows=rows)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + '\n')
    print(f'Written: {args.out}')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=9, help='times each is done (default: 9)')
    parser.add_argument('--folder', type=Path, help='on the disk to be measured (default: that of temporary files)')
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results/checkpoints.json', help='file to write')
    main(parser.parse_args())
