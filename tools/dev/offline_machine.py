"""Bring mmdrl and CIFAR-100-LT to a machine without network that has Python, torch and the usual packages.

Here, ``python tools/dev/offline_machine.py pack --data data/cifar`` fills the ignored folder ``.offline``: the wheels
that are missing there, found by resolving, and what the plans of ``benchmarks/accuracy.py`` need of CIFAR-100 at ratio
100, as lossless strips. There, in the copied checkout, ``python tools/dev/offline_machine.py install`` makes an
environment on top of the packages of the machine and the array files, and says what they cover and how to train.
"""

import argparse
import shutil
import sys
from pathlib import Path

from offline_images import pack_cifar100_lt, unpack_split
from offline_wheels import fetch, install

ROOT = Path(__file__).parents[2]
OPENMMLAB = ROOT / 'requirements' / 'openmmlab.txt'
# Of a machine set up for deep learning. By the names that the OpenMMLab packages ask for.
PRESENT = ('torch', 'torchvision', 'numpy', 'scikit-learn', 'rich', 'opencv-python', 'matplotlib', 'pip')
# The largest wheels; without them `mim` does not start, but the tools do.
LEFT_OUT = ('pandas', 'pycryptodome')
ALSO = ('jinja2', 'packaging', 'pytest', 'hypothesis')
MEBIBYTE = 2**20


def parse_args() -> argparse.Namespace:
    """Command line of both commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    pack = commands.add_parser('pack', help='on a machine with network')
    pack.add_argument('--data', type=Path, help='folder of CIFAR-100, as mmdrl.CIFAR reads it (default: no data)')
    pack.add_argument(
        '--ratio', type=float, default=100, help='of the long tail to bring; longer ones are in it (default: 100)'
    )
    pack.add_argument('--python', default='3.12', help='version of Python there (default: %(default)s)')
    pack.add_argument('--present', nargs='+', default=PRESENT, metavar='NAME', help=f'there: {", ".join(PRESENT)}')
    pack.add_argument('--also', nargs='*', default=ALSO, metavar='NAME', help=f'more to bring: {", ".join(ALSO)}')
    pack.add_argument(
        '--leave-out',
        nargs='*',
        default=LEFT_OUT,
        metavar='NAME',
        help=f'not to bring (default: {" ".join(LEFT_OUT)}, 14 MiB that mim needs and the tools do not)',
    )
    unpack = commands.add_parser('install', help='on the machine without')
    unpack.add_argument('--environment', type=Path, default=Path('.venv'), help='to make (default: %(default)s)')
    unpack.add_argument('--data', type=Path, default=Path('data/cifar'), help='for the arrays (default: %(default)s)')
    for each in (pack, unpack):
        each.add_argument('--folder', type=Path, default=ROOT / '.offline', help='that travels (default: .offline)')
    args = parser.parse_args()
    if args.command == 'pack' and args.data and not args.data.is_dir():
        parser.error(f'expected --data to be a folder with CIFAR-100, found none at {args.data}.')
    if args.command == 'pack' and not args.ratio >= 1:
        parser.error(f'expected --ratio of 1 or more, got {args.ratio:g}.')
    if args.command == 'install' and args.data.name != 'cifar':
        parser.error(f'expected --data to end in cifar, as the plans look for it there, got {args.data}.')
    return args


def pack(args: argparse.Namespace) -> None:
    """Fill the folder anew; it is as it was if anything fails."""
    if args.folder.is_dir() and any(args.folder.iterdir()) and not (args.folder / 'wheels').is_dir():
        sys.exit(
            f'error: {args.folder} would be replaced, and holds something else than wheels. Take another --folder.'
        )
    aside = args.folder.with_name(f'{args.folder.name}.part')
    shutil.rmtree(aside, ignore_errors=True)
    try:
        fetch(['-r', str(OPENMMLAB), *args.also], [*args.present, *args.leave_out], args.python, aside / 'wheels')
        if args.data:
            pack_cifar100_lt(args.data, aside / 'images', args.ratio)
        shutil.rmtree(args.folder, ignore_errors=True)
        aside.rename(args.folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    for part in sorted(args.folder.iterdir()):
        sizes = [path.stat().st_size for path in part.iterdir()]
        print(f'{part}: {len(sizes)} files, {sum(sizes) / MEBIBYTE:.1f} MiB')


def unpack(args: argparse.Namespace) -> None:
    """Make the environment and the arrays."""
    if not (args.folder / 'wheels').is_dir():
        sys.exit(f'error: there are no wheels in {args.folder}. Fill it with the command pack, and bring it here.')
    python = install(args.folder / 'wheels', args.environment, ROOT)
    print(f'{python} has what mmdrl needs.')
    images = args.folder / 'images'
    if not images.is_dir():
        return
    for split in ('train', 'test'):
        print(unpack_split(images, split, args.data / f'cifar100_{split}.npz'))
    elsewhere = '' if args.data.parent == Path('data') else f' --data {args.data.parent}'
    print(
        'A training that asks for an image that is not there ends with a sentence. To train what has no record yet:\n'
        f'{python} benchmarks/accuracy.py benchmarks/plans/cifar100_lt.yaml --device cuda --minutes 8.5{elsewhere}'
    )


if __name__ == '__main__':
    given = parse_args()
    pack(given) if given.command == 'pack' else unpack(given)
