"""What a large run would cost on many GPUs: computed from measured constants and named assumptions, not measured.

``python benchmarks/estimate.py`` reads what ``distributed.py`` and ``scaling.py`` have measured on a CPU, adds what has
to be assumed about GPUs and network (each an option), and prints time, memory and bytes on the wire of what mmdrl adds
to a training. No such run has been made.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parents[1] / 'benchmarks' / 'results'
PRODUCTS = 2  # matrix products of all pairs of samples: one of the loss, one of its gradient
# At worst, in the backward pass of functional/centroid_softmax.py: four float32 matrices and one float64.
BYTES_PER_PAIR = 24


class Setting(NamedTuple):
    """A run, and what is assumed of the machines."""

    gpus: int = 64
    images: int = 10_000_000
    classes: int = 100_000
    width: int = 2048
    batch: int = 64
    backbone: float = 23.5e6
    network: float = 25.0
    float64: float = 20.0
    step: float = 200.0


OPTIONS = {
    'gpus': 'GPUs, one process each',
    'images': 'training images',
    'classes': 'classes',
    'width': 'features D',
    'batch': 'images of one GPU in a step',
    'backbone': "parameters of the network without its classifier (default: ResNet-50's)",
    'network': 'assumed: GB/s that a GPU sends and receives at a time',
    'float64': 'assumed: float64 TFLOP/s of a GPU in a matrix product',
    'step': 'assumed: ms of a step without mmdrl, for shares',
}


class Line(NamedTuple):
    """One quantity: its name, its value with unit, and how it comes about."""

    what: str
    value: str
    how: str


class Constants(NamedTuple):
    """Measured, and independent of the size of the run.

    Attributes:
        wire: Bytes of a step that one process hands over for each of its features, by collective.
        epoch: Bytes that it hands over at the end of an epoch for each class and feature.
        line: Seconds and bytes of reading one line of a list.
        order: Seconds of one place in a class-aware order.
        radius: Seconds of the radius and weight of one class, on a CPU.
    """

    wire: dict[str, float]
    epoch: float
    line: tuple[float, float]
    order: float
    radius: float


def read_constants(folder: Path = RESULTS) -> Constants:
    """Those of two result files.

    Raises:
        FileNotFoundError: If one is not there.
    """
    sent = json.loads((folder / 'distributed_cpu.json').read_text())
    shape, row = sent['shape'], sent['rows'][0]
    calls, features = row['collectives']['running'], shape['batch'] * shape['D']
    wire = dict(all_gather=0.0, all_reduce=0.0)
    for call in calls['step']:
        of_all = row['processes'] if call['call'] == 'all_reduce' else 1  # a gradient of everybody's features
        wire[call['call']] += call['bytes'] / features / of_all
    epoch = sum(call['bytes'] for call in calls['epoch']) / shape['K'] / shape['D']
    curves = json.loads((folder / 'scaling_cpu.json').read_text())['rows']
    rows = {(row['part'], row['variable']): row for row in curves}
    lists = rows['reading a list', 'N']
    return Constants(
        wire,
        epoch,
        (_per_item(lists), lists['bytes'][-1] / lists['sizes'][-1]),
        _per_item(rows['class-aware order', 'N']),
        _per_item(rows['radii of all classes', 'K']),
    )


def estimate(run: Setting, measured: Constants) -> list[Line]:
    """All quantities of a run."""
    total, features = run.gpus * run.batch, run.batch * run.width
    steps = max(1, run.images // total)
    others = (run.gpus - 1) / run.gpus
    # A ring: what is gathered passes everybody once, what is summed up passes twice.
    gathered = measured.wire['all_gather'] * features * (run.gpus - 1)
    summed = 2 * others * measured.wire['all_reduce'] * features * run.gpus
    parameters = run.backbone + run.classes * (run.width + 1)
    epoch = 2 * others * measured.epoch * run.classes * run.width
    per_ms, epoch_s = run.network * 1e6, epoch / run.network / 1e9
    wire_ms = (gathered + summed) / per_ms
    loss_ms = PRODUCTS * 2 * total**2 * run.width / (run.float64 * 1e9)
    table = 4 * run.classes * run.width
    share, of_epoch = 100 * (wire_ms + loss_ms) / run.step, 100 * epoch_s / (steps * run.step / 1e3)
    line, line_bytes = measured.line
    rows = [
        ('steps of an epoch', f'{steps:,}', f'{run.images:,} images, {total:,} in a batch'),
        ('wire of a step, DR loss', _bytes(gathered + summed), 'features gathered, their gradient summed up'),
        (
            'wire of a step, gradients',
            _bytes(8 * others * parameters),
            f'{parameters / 1e6:.0f} M parameters, any method',
        ),
        ('DR loss on the wire', f'{wire_ms:.1f} ms', f'at {run.network:g} GB/s, hidden by nothing'),
        ('DR loss, arithmetic', f'{loss_ms:.1f} ms', f'{PRODUCTS} float64 products, {run.float64:g} TFLOP/s'),
        ('DR loss, both', f'{share:.0f} % of a step', f'of {run.step:g} ms without it'),
        ('wire of an epoch, centroids', _bytes(epoch), 'means, counts, variances'),
        ('end of an epoch', f'{epoch_s:.2f} s', f'{of_epoch:.2f} % of its steps'),
        ('memory of a GPU, loss', _bytes(BYTES_PER_PAIR * total**2), f'{BYTES_PER_PAIR} bytes for two samples'),
        ('memory of a GPU, centroids', _bytes(2 * table), 'published, and means of the epoch'),
        ('more at the end of an epoch', _bytes(2 * table), 'what is sent, and differences of means'),
        ('memory of a GPU, parameters', _bytes(12 * parameters), 'with gradients and momentum, any method'),
        ('checkpoint', _bytes(8 * parameters + 2 * table), f'centroids are {_bytes(2 * table)} of it'),
        ('reading the list', f'{line * run.images:.1f} s', f'{line * 1e9:.0f} ns a line, one CPU core'),
        ('memory of the list', _bytes(line_bytes * run.images), f'{line_bytes:.0f} bytes a line, each process'),
        ('drawing an order', f'{measured.order * run.images:.1f} s', f'{measured.order * 1e9:.0f} ns a place'),
        ('radii in a step', f'{measured.radius * run.classes * 1e3:.2f} ms', f'{measured.radius * 1e9:.1f} ns a class'),
    ]
    return [Line(*row) for row in rows]


def markdown(lines: list[Line]) -> str:
    """The table of a page."""
    rows = [f'| {line.what} | {line.value} | {line.how} |' for line in lines]
    return '\n'.join(['| estimate, not measured | | from |', '|---|---|---|', *rows]) + '\n'


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in Setting()._asdict().items():
        words = OPTIONS[name] if 'default' in OPTIONS[name] else f'{OPTIONS[name]} (default: {default:,})'
        parser.add_argument(f'--{name}', type=type(default), default=default, help=words)
    args = parser.parse_args()
    if wrong := [name for name in OPTIONS if not getattr(args, name) > 0]:
        parser.error(f'expected numbers above 0, got --{wrong[0]} {getattr(args, wrong[0])}')
    return args


def main(args: argparse.Namespace) -> None:
    """Compute and print."""
    from rich.console import Console
    from rich.table import Table

    try:
        measured = read_constants()
    except FileNotFoundError as error:
        name = Path(error.filename).stem.removesuffix('_cpu')
        sys.exit(f'error: {error.filename} is not there. Make it with python benchmarks/{name}.py')
    table = Table('', 'estimate', 'from', title='Computed from measured constants; no such run has been made')
    for line in estimate(Setting(**vars(args)), measured):
        table.add_row(*line)
    Console(width=120).print(table)


def _per_item(row: dict[str, Any]) -> float:
    """Seconds that one more costs: the slope of the last stretch."""
    (before, last), (few, many) = ([found['median'] for found in row['seconds'][-2:]], row['sizes'][-2:])
    return (last - before) / (many - few)


def _bytes(number: float) -> str:
    for unit in ('B', 'kB', 'MB', 'GB'):
        if number < 1000 or unit == 'GB':
            return f'{number:.3g} {unit}'
        number /= 1000
    raise AssertionError


if __name__ == '__main__':
    main(parse_args())
