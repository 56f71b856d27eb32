"""What the DR head adds to a training step, beside MMPretrain's linear classifier with cross-entropy on one network.

A step is forward, backward and optimiser, of a batch that is there; both heads take turns step by step. Eager, compiled
(``torch.compile`` of the model's forward, as MMEngine's ``compile=dict()`` does), in bfloat16, and with images in
channels-last order. Then what makes the time of a small step on a GPU: the kernels that the heads launch. On the CPU
the batch of ResNet-50 is 4 in place of 64.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault('KINETO_LOG_LEVEL', '5')  # torch's profiler talks of its own accord
import torch
from launches import launches, make_head
from loss import peak_memory
from measure import ratios, spread, turns
from mmpretrain.models import ImageClassifier
from rich.console import Console
from rich.table import Table
from torch import nn

from mmdrl.batch_samples import BatchSamples
from mmdrl.engine.environment import describe_environment

ROOT = Path(__file__).parents[1]
NETWORKS: dict[str, dict[str, Any]] = {
    'ResNet-32': dict(backbone=dict(type='mmdrl.ResNet32'), pixels=32, width=64, num_classes=100, batch=128),
    'ResNet-50': dict(backbone=dict(type='ResNet', depth=50), pixels=224, width=2048, num_classes=1000, batch=64),
    'ResNet-8': dict(backbone=dict(type='mmdrl.ResNet8'), pixels=16, width=64, num_classes=100, batch=64),
}
MODES = ('eager', 'compiled', 'bfloat16', 'channels last')
HEADS = {'ce': None, 'dr': 'running'}
# Time and memory of a step with the DR head over one without, at most; the memory goal is one for all.
GOALS = {('ResNet-32', 'eager'): 1.05, ('ResNet-32', 'compiled'): 1.03, ('ResNet-50', 'eager'): 1.01}
MEMORY = 1.02


class Step:
    """A model with its optimiser and one batch."""

    def __init__(self, network: str, head: str, mode: str, device: str):
        torch.manual_seed(0)
        sizes = NETWORKS[network]
        batch = 4 if network == 'ResNet-50' and device == 'cpu' else sizes['batch']
        own = make_head(sizes['width'], sizes['num_classes'], HEADS[head])
        neck = dict(type='GlobalAveragePooling')
        self.model = ImageClassifier(backbone=dict(sizes['backbone']), neck=neck, head=own)
        self.model = self.model.to(device).train()
        self.images = torch.randn(batch, 3, sizes['pixels'], sizes['pixels'], device=device)
        if mode == 'channels last':
            self.model = self.model.to(memory_format=torch.channels_last)
            self.images = self.images.contiguous(memory_format=torch.channels_last)
        self.samples = BatchSamples(torch.randint(sizes['num_classes'], (batch,), device=device))
        if HEADS[head] is not None:  # as from the second epoch on; a loss without centroids has no gradient
            own.centroids.centroids.normal_()
            own.centroids.is_seen.fill_(True)
        list(self.samples)  # made once: MMPretrain's head asks for them at every step
        self.device, self.mode = device, mode
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        forward: nn.Module = self.model
        self.forward: Callable[..., Any] = torch.compile(forward) if mode == 'compiled' else forward

    def __call__(self) -> None:
        """One training step."""
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.mode == 'bfloat16'):
            losses = self.forward(self.images, self.samples, mode='loss')
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def row_of(network: str, mode: str, rounds: int, device: str, with_memory: bool = True) -> dict[str, Any]:
    """Seconds of both heads, and the ratios of time and memory, of one network in one mode."""
    steps = {head: Step(network, head, mode, device) for head in HEADS}
    times = turns(dict(steps), rounds, 3, device)
    row: dict[str, Any] = dict(network=network, mode=mode, batch=len(steps['dr'].images))
    row['seconds'] = {head: spread(values) for head, values in times.items()}
    row['ratio'] = ratios(times['dr'], times['ce'])
    if with_memory:
        peaks = {head: peak_memory(step, device) for head, step in steps.items()}
        row |= dict(peak_mib=peaks, memory_ratio=peaks['dr'] / peaks['ce'])
    goal = GOALS.get((network, mode)) if row['batch'] == NETWORKS[network]['batch'] else None
    if goal is not None:
        row |= dict(goal=goal, is_met=row['ratio']['median'] <= goal)
    return row


def counted() -> dict[str, dict[str, int]]:
    """Kernels of each head: MMPretrain's, and the DR head by the mode of its centroids."""
    return {mode or 'cross-entropy': launches(mode) for mode in (None, 'running', 'ema', 'epoch')}


def quick() -> dict[str, float]:
    """A few ratios within seconds."""
    found = counted()
    plain = sum(found['cross-entropy'].values())
    return {
        'DR head / cross-entropy, ResNet-8': row_of('ResNet-8', 'eager', 20, 'cpu', False)['ratio']['median'],
        'kernels of the DR head / of cross-entropy': sum(found['running'].values()) / plain,
    }


def show(rows: list[dict[str, Any]], kernels: dict[str, dict[str, int]]) -> None:
    """Both tables on the terminal."""
    table = Table('network', 'step', 'batch', 'ce, ms', 'dr, ms', 'dr / ce', 'quartiles', 'goal', 'memory dr / ce')
    for row in rows:
        ratio = row['ratio']
        cells = [f'{row["seconds"][head]["median"] * 1000:.1f}' for head in HEADS]
        goal = f'{row["goal"]:.2f} {"met" if row["is_met"] else "not met"}' if 'goal' in row else '-'
        memory = f'{row["memory_ratio"]:.3f}' if 'memory_ratio' in row else '-'
        quartiles = f'{ratio["low"]:.3f} to {ratio["high"]:.3f}'
        sizes = (row['network'], row['mode'], str(row['batch']))
        table.add_row(*sizes, *cells, f'{ratio["median"]:.3f}', quartiles, goal, memory)
    Console(width=120).print(table)
    table = Table('head', 'forward', 'backward', title='kernels launched, K = 100, D = 64, B = 128')
    for name, found in kernels.items():
        table.add_row(name, str(found['forward']), str(found['backward']))
    Console(width=120).print(table)


def parse_args() -> argparse.Namespace:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu', help='default: %(default)s')
    parser.add_argument('--threads', type=int, default=1, help='of torch on the CPU (default: %(default)s)')
    parser.add_argument('--rounds', type=int, help='steps of each head (default: 15 on the CPU, 200 on a GPU)')
    parser.add_argument('--networks', nargs='+', choices=NETWORKS, default=['ResNet-32', 'ResNet-50'])
    parser.add_argument('--modes', nargs='+', choices=MODES, default=list(MODES))
    parser.add_argument('--quick', action='store_true', help='ResNet-8 and the kernels alone; writes nothing')
    parser.add_argument('--out', type=Path, help='result file (default: benchmarks/results/step_DEVICE.json)')
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    torch.set_num_threads(args.threads)
    if args.quick:
        show([row_of('ResNet-8', 'eager', args.rounds or 20, args.device)], counted())
        return
    rounds = args.rounds or (15 if args.device == 'cpu' else 200)
    rows = [row_of(network, mode, rounds, args.device) for network in args.networks for mode in args.modes]
    kernels = counted()
    show(rows, kernels)
    device = torch.cuda.get_device_name() if args.device == 'cuda' else 'cpu'
    memory = max(row['memory_ratio'] for row in rows)
    found: dict[str, Any] = dict(machine=describe_environment() | dict(device=device), rounds=rounds, rows=rows)
    found |= dict(kernels=kernels, memory=dict(ratio=memory, goal=MEMORY, is_met=memory <= MEMORY))
    out = args.out or ROOT / f'benchmarks/results/step_{args.device}.json'
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + '\n')
    print(f'Written: {out}')


if __name__ == '__main__':
    main(parse_args())
