"""What the DR loss and the centroids send between processes, and how long it takes, in one run.

Counted are calls of ``torch.distributed`` and the bytes of their tensors on one process, by replacing the functions
while a step and the end of an epoch run; what DDP sends for gradients comes in addition and is that of any model. Timed
is the end of an epoch of mode 'running' against one ``all_reduce`` as large as the gradients of a ResNet-50, by turns,
with processes of this machine that talk by gloo. K and D are those of iNaturalist 2018 and a ResNet-50.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing
from measure import medians
from mmpretrain.structures import DataSample
from rich.console import Console
from rich.table import Table
from torch import distributed

from mmdrl.models import ClassCentroids
from mmdrl.registry import MODELS

ROOT = Path(__file__).parents[1]
RESNET50 = 25_557_032  # parameters, torchvision's
COLLECTIVES = ('all_reduce', 'all_gather', 'broadcast')
MODES = ('running', 'ema', 'epoch')


@contextmanager
def counted() -> Iterator[list[dict[str, Any]]]:
    """Notes every collective and the bytes that this process hands over."""
    kept = {name: getattr(distributed, name) for name in COLLECTIVES}
    calls: list[dict[str, Any]] = []

    def note(name: str) -> Any:
        def call(*arguments: Any, **settings: Any) -> Any:
            tensor = arguments[1] if name == 'all_gather' else arguments[0]
            calls.append(dict(call=name, bytes=tensor.numel() * tensor.element_size()))
            return kept[name](*arguments, **settings)

        return call

    for name in COLLECTIVES:
        setattr(distributed, name, note(name))
    try:
        yield calls
    finally:
        for name, function in kept.items():
            setattr(distributed, name, function)


def head_of(mode: str, classes: int, width: int) -> Any:
    """A head with the DR loss on the last layer."""
    head = MODELS.build(
        dict(
            type='mmdrl.DRHead',
            num_classes=classes,
            in_channels=width,
            cal_acc=False,
            centroids=dict(mode=mode),
            dr_loss=dict(type='mmdrl.DRLoss', scope='sample', margin=2.0),
        )
    )
    head.set_class_counts(torch.ones(classes, dtype=torch.long))
    return head


def count(mode: str, classes: int, width: int, batch: int) -> dict[str, Any]:
    """Collectives of one training step, as on an accelerator, and of the end of an epoch."""
    head = head_of(mode, classes, width)
    features = torch.randn(batch, width, requires_grad=True)
    samples = [DataSample().set_gt_label(label) for label in torch.randint(0, classes, (batch,)).tolist()]
    look, head.check_divergence = head.check_divergence, lambda: None  # the CPU would look once more, at once
    with counted() as step:
        losses = head.loss((features,), samples)
        (losses['loss_cls'] + losses['loss_dr']).backward()
        look()
    with counted() as epoch:
        head.centroids.publish()
    return dict(step=step, epoch=epoch)


def measure(rank: int, world_size: int, args: argparse.Namespace, folder: str) -> None:
    """What one process does; the first writes."""
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)
    store = distributed.FileStore(f'{folder}/store{world_size}', world_size)
    distributed.init_process_group('gloo', store=store, rank=rank, world_size=world_size)
    found: dict[str, Any] = dict(processes=world_size)
    found['collectives'] = {mode: count(mode, args.classes, args.width, args.batch) for mode in MODES}
    centroids, gradients = ClassCentroids(args.classes, args.width), torch.randn(args.gradients)
    centroids.accumulate(torch.randn(args.batch, args.width), torch.randint(0, args.classes, (args.batch,)))
    cases = dict(publish=centroids.publish, gradients=lambda: distributed.all_reduce(gradients))
    seconds = medians(cases, args.rounds)
    found['milliseconds'] = {name: round(value * 1e3, 1) for name, value in seconds.items()}
    found['ratio'] = round(seconds['publish'] / seconds['gradients'], 2)
    if rank == 0:
        Path(folder, f'{world_size}.json').write_text(json.dumps(found))
    distributed.destroy_process_group()


def show(rows: list[dict[str, Any]]) -> None:
    """The tables on the terminal."""
    table = Table('processes', 'mode', 'when', 'collectives', 'bytes')
    for row in rows:
        for mode, found in row['collectives'].items():
            for when, calls in found.items():
                names = ', '.join(call['call'] for call in calls) or 'none'
                table.add_row(str(row['processes']), mode, when, names, f'{sum(call["bytes"] for call in calls):,}')
    times = Table('processes', 'end of an epoch, ms', 'gradients of a ResNet-50, ms', 'ratio')
    for row in rows:
        times.add_row(
            str(row['processes']), *(f'{value:.0f}' for value in row['milliseconds'].values()), f'{row["ratio"]:.2f}'
        )
    console = Console(width=120)
    console.print(table)
    console.print(times)


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--processes', type=int, nargs='+', default=[2, 4], help='(default: 2 4)')
    parser.add_argument('--classes', type=int, default=8142, help='K (default: %(default)s)')
    parser.add_argument('--width', type=int, default=2048, help='D (default: %(default)s)')
    parser.add_argument('--batch', type=int, default=32, help='images of one process (default: %(default)s)')
    parser.add_argument(
        '--gradients', type=int, default=RESNET50, help='numbers to compare with (default: %(default)s)'
    )
    parser.add_argument('--rounds', type=int, default=9, help='of both (default: %(default)s)')
    parser.add_argument(
        '--out', type=Path, default=ROOT / 'benchmarks/results/distributed_cpu.json', help='result file'
    )
    return parser.parse_args()


def of_processes(args: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each number of processes."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for world_size in args.processes:
            torch.multiprocessing.start_processes(
                measure, (world_size, args, folder), nprocs=world_size, start_method='fork'
            )
            rows.append(json.loads(Path(folder, f'{world_size}.json').read_text()))
    return rows


def quick() -> dict[str, float]:
    """End of an epoch of two processes against an ``all_reduce`` of as many bytes, and the messages of a step."""
    sizes = dict(classes=1000, width=512, batch=32)
    args = argparse.Namespace(processes=[2], **sizes, gradients=sizes['classes'] * (sizes['width'] + 2), rounds=15)
    row = of_processes(args)[0]
    calls = row['collectives']['running']['step']
    return {'end of an epoch / all_reduce': row['ratio'], 'messages of a step': float(len(calls))}


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    rows = of_processes(args)
    show(rows)
    machine = dict(
        device=platform.machine(), cores=os.cpu_count(), torch=torch.__version__, python=platform.python_version()
    )
    shape = dict(K=args.classes, D=args.width, batch=args.batch, gradients=args.gradients)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    result = dict(machine=machine, rounds=args.rounds, shape=shape, rows=rows)
    args.out.write_text(json.dumps(result, indent=1) + '\n')
    print(f'Written: {args.out}')


if __name__ == '__main__':
    main(parse_args())
