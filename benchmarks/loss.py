"""Speed and memory of the DR loss, forward and backward, as ratios measured in one run.

``python benchmarks/loss.py --released DRO-LT/losses.py`` compares with the authors' loss (their file is not part of
this project; without it that column stays empty) and with a floor: the two matrix products and the one softmax of the
rows of the classes present, without which no implementation can do. K classes, D features, B samples in the batch,
N in the training set. The labels of a batch are either drawn at random or four per class, as the class-aware
sampler of the authors' code draws them; fewer classes present make the floor lower.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault('KINETO_LOG_LEVEL', '5')  # torch's profiler talks of its own accord
import torch
from measure import load_file, medians
from rich.console import Console
from rich.table import Table
from torch import Tensor

from mmdrl.engine.environment import describe_environment
from mmdrl.functional import dr_loss

ROOT = Path(__file__).parents[1]
SHAPES = {
    'CIFAR-100-LT': (100, 64, 128, 50_000),
    'ImageNet-LT': (1000, 2048, 256, 115_846),
    'iNaturalist 2018': (8142, 2048, 512, 437_513),
    'many classes': (100_000, 512, 256, None),
}
RELEASED = ('CIFAR-100-LT', 'ImageNet-LT')  # of iNaturalist it would keep 3.6 GB of features
NUM_CLASSES = (100, 1000, 10_000, 100_000)
SETTINGS = dict(scope='sample', margin=2.0)
WARM_UP = 5


class Batch:
    """Random features, labels, centroids and radii of one shape."""

    def __init__(self, num_classes: int, width: int, size: int, labels: str, device: str):
        generator = torch.Generator().manual_seed(0)
        self.features = torch.randn(size, width, generator=generator).to(device).requires_grad_()
        self.centroids = torch.randn(num_classes, width, generator=generator).to(device)
        self.radius = torch.rand(num_classes, generator=generator).to(device)
        drawn = torch.randint(num_classes, (size,), generator=generator)
        if labels == 'four per class':
            drawn = torch.randperm(num_classes, generator=generator)[: size // 4].repeat_interleave(4)
            drawn = drawn.repeat(-(-size // len(drawn)))[:size]  # again from the start where there are too few classes
        self.labels = drawn.to(device)
        self.present = self.centroids[self.labels.unique()] / width  # small products: no denormals in the softmax

    def ours(self) -> Tensor:
        """Loss and gradient of this project."""
        self.features.grad = None
        loss = dr_loss(self.features, self.labels, self.centroids, self.radius, **SETTINGS)
        loss.backward()
        return loss

    def floor(self) -> Tensor:
        """The arithmetic that is left when everything else costs nothing."""
        with torch.no_grad():
            return (self.present @ self.features.T).softmax(dim=1).T @ self.present

    def released(self, criterion: Callable[..., Tensor], features: Tensor, labels: Tensor) -> Tensor:
        """Loss and gradient of the authors' code, which is handed all N features at every step."""
        self.features.grad = None
        loss = criterion(self.features, self.labels, features, labels)
        loss.backward()
        return loss

    def check(self) -> None:
        """What is timed must be right: the value in float64, straight from the formula."""
        z, mu = self.features.detach().double(), self.centroids.double()[self.labels]
        distances = torch.cdist(mu, z) + 2 * self.radius.double()[self.labels].diag()
        losses = -(-distances).log_softmax(dim=1).diagonal()
        per_class = [losses[self.labels == label].mean() for label in self.labels.unique()]
        torch.testing.assert_close(self.ours().double(), torch.stack(per_class).mean(), rtol=1e-4, atol=0)


def peak_memory(step: Callable[[], Any], device: str) -> float:
    """MiB that a step holds at its worst, beyond what there was before it."""
    step()
    if device == 'cuda':
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / 'trace.json'
        profiler.export_chrome_trace(str(trace))
        events = [event for event in json.loads(trace.read_text())['traceEvents'] if event['name'] == '[memory]']
    held, peak = 0, 0
    for event in sorted(events, key=lambda event: event['ts']):
        held += event['args']['Bytes']
        peak = max(peak, held)
    return peak / 2**20


def load_released(path: Path, num_classes: int, device: str) -> Callable[..., Tensor]:
    """The authors' ``DROLoss`` with learned radii and temperature 1, as their command sets it."""
    epsilons = torch.ones(num_classes, device=device, requires_grad=True)
    return load_file(path).DROLoss(temperature=1.0, base_temperature=1.0, epsilons=epsilons)


def compare(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for every shape and way of drawing labels."""
    rows = []
    for name, (num_classes, width, size, num_samples) in SHAPES.items():
        for labels in ('random', 'four per class'):
            batch = Batch(num_classes, width, size, labels, args.device)
            batch.check()
            seconds = medians(dict(ours=batch.ours, floor=batch.floor), args.rounds, WARM_UP, args.device)
            row = dict(shape=name, K=num_classes, D=width, B=size, N=num_samples, labels=labels)
            row |= dict(present=len(batch.present), microseconds={k: round(v * 1e6, 1) for k, v in seconds.items()})
            row['floor_ratio'] = round(seconds['ours'] / seconds['floor'], 2)
            if args.released and name in RELEASED:
                criterion = load_released(args.released, num_classes, args.device)
                features = torch.randn(num_samples, width, device=args.device)
                # In the order of a shuffled loader.
                of_class = torch.randperm(num_samples).to(args.device) % num_classes
                cases = dict(ours=batch.ours, released=partial(batch.released, criterion, features, of_class))
                seconds = medians(cases, max(1, args.rounds // 10), WARM_UP, args.device)
                row['microseconds']['released'] = round(seconds['released'] * 1e6, 1)
                row['released_ratio'] = round(seconds['released'] / seconds['ours'], 1)
            rows.append(row)
    return rows


def growth(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Time and memory for more and more classes at B = 256, D = 512; N does not enter the loss at all."""
    batches = {K: Batch(K, 512, 256, 'four per class', args.device) for K in NUM_CLASSES}
    seconds = medians({str(K): batch.ours for K, batch in batches.items()}, args.rounds, WARM_UP, args.device)
    return [
        dict(K=K, microseconds=round(seconds[str(K)] * 1e6, 1), peak_mib=round(peak_memory(batch.ours, args.device), 2))
        for K, batch in batches.items()
    ]


def quick() -> dict[str, float]:
    """Loss and gradient against their floor, for two shapes."""
    torch.set_num_threads(1)
    found = {}
    for name in ('CIFAR-100-LT', 'ImageNet-LT'):
        batch = Batch(*SHAPES[name][:3], 'random', 'cpu')
        seconds = medians(dict(ours=batch.ours, floor=batch.floor), 60, WARM_UP)
        found[f'ours / floor, {name}'] = seconds['ours'] / seconds['floor']
    return found


def show(rows: list[dict[str, Any]], by_classes: list[dict[str, Any]]) -> None:
    """Both tables on the terminal."""
    console = Console(width=120)
    table = Table('shape', 'K, D, B, N', 'labels', 'present', 'ours, ms', 'released / ours', 'ours / floor')
    for row in rows:
        sizes = ', '.join(f'{row[key]:,}' if row[key] else '-' for key in 'KDBN')
        released = f'{row["released_ratio"]:.0f}' if 'released_ratio' in row else '-'
        ours = f'{row["microseconds"]["ours"] / 1000:.2f}'
        table.add_row(
            row['shape'], sizes, row['labels'], str(row['present']), ours, released, f'{row["floor_ratio"]:.2f}'
        )
    console.print(table)
    table = Table('classes', 'ours, ms', 'peak memory, MiB', title='B = 256, D = 512')
    for row in by_classes:
        table.add_row(f'{row["K"]:,}', f'{row["microseconds"] / 1000:.2f}', f'{row["peak_mib"]:.2f}')
    console.print(table)


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--released', type=Path, help="losses.py of the authors' code")
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='default: %(default)s')
    parser.add_argument('--threads', type=int, default=2, help='of torch on the CPU (default: %(default)s)')
    parser.add_argument(
        '--rounds', type=int, default=200, help='calls of each case; a tenth for the released (default: %(default)s)'
    )
    parser.add_argument('--out', type=Path, help='result file (default: benchmarks/results/loss_DEVICE.json)')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    torch.set_num_threads(args.threads)
    rows, by_classes = compare(args), growth(args)
    show(rows, by_classes)
    out = args.out or ROOT / f'benchmarks/results/loss_{args.device}.json'
    device = torch.cuda.get_device_name() if args.device == 'cuda' else platform.machine()
    machine = describe_environment() | dict(device=device)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps(dict(machine=machine, rounds=args.rounds, rows=rows, classes=by_classes), indent=1) + '\n'
    )
    print(f'Written: {out}')


if __name__ == '__main__':
    main(parse_args())
