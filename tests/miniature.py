"""Generates miniatures of the large sets: lists and JPEGs of noise, 64 x 64 pixels, in every published layout.

The paths are written out here by hand, from the published lists, and not by the code under test. Run
``python tests/miniature.py FOLDER`` for a miniature ImageNet-LT of all 1000 classes.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

NUM_CLASSES = 1000
PARTS = {'imagenet': ('train', 'val', 'test'), 'places': ('train', 'val', 'test'), 'inaturalist': ('train', 'val')}
PREFIX = {'imagenet': 'ImageNet_LT', 'places': 'Places_LT', 'inaturalist': 'iNaturalist18'}
LAYOUTS = {
    'imagenet': ('nested', 'flat'),
    'places': ('by_class', 'places365'),
    'inaturalist': ('train_val2018', 'inside'),
}
# In the order of the published labels.
CLASSES = {
    'imagenet': ('n01440764', 'n01443537', 'n01484850', 'n15075141'),
    'places': ('airfield', 'apartment_building-outdoor', 'desert_road', 'desert-sand', 'underwater-ocean_deep'),
    'inaturalist': ('Animalia/0', 'Aves/1', 'Plantae/2'),
}


def listed_path(name: str, layout: str, part: str, label: int, number: int) -> str:
    """Path of one image, as the list of that layout has it."""
    folder = CLASSES[name][label]
    serial = 100 * label + number + {'train': 0, 'val': 40, 'test': 70}[part]
    if name == 'imagenet':
        if part != 'test':
            return f'train/{folder}/{folder}_{serial}.JPEG'
        image = f'ILSVRC2012_val_{serial:08d}.JPEG'
        return f'val/{image}' if layout == 'flat' else f'val/{folder}/{image}'
    if name == 'inaturalist':
        path = f'{folder}/{serial:032x}.jpg'
        return path if layout == 'inside' else f'train_val2018/{path}'
    image = f'Places365_val_{serial:08d}.jpg' if part == 'test' else f'{serial:08d}.jpg'
    if layout == 'by_class':
        return f'{"val" if part == "test" else "train"}/{folder}/{image}'
    original = f'{folder[0]}/{folder.replace("-", "/")}'
    return f'val_256/{image}' if part == 'test' else f'data_256/{original}/{image}'


def counts_of(name: str, part: str) -> list[int]:
    """Images per class: few, and falling in training."""
    return [max(1, 4 - label) if part == 'train' else 1 for label in range(len(CLASSES[name]))]


def make_miniature(root: Path, name: str, folders: str, lists: str | None = None, quality: int = 30) -> Path:
    """Write lists and images of a few classes.

    Args:
        root: Folder to make.
        name: ``'imagenet'``, ``'places'`` or ``'inaturalist'``.
        folders: Layout of the images.
        lists: Layout of the lists; that of the images if not given.
        quality: Of the JPEGs.

    Returns:
        ``root``.
    """
    rng = np.random.default_rng(0)
    for part in PARTS[name]:
        rows = []
        for label, count in enumerate(counts_of(name, part)):
            for number in range(count):
                write_noise(root / listed_path(name, folders, part, label, number), rng, quality)
                rows.append(f'{listed_path(name, lists or folders, part, label, number)} {label}\n')
        (root / f'{PREFIX[name]}_{part}.txt').write_text(''.join(rows))
    return root


def list_to_json(path: Path) -> dict:
    """The rows of a list as the JSON of iNaturalist 2018 has them."""
    rows = [line.rsplit(' ', 1) for line in path.read_text().splitlines()]
    return dict(
        images=[dict(id=1000 + index, file_name=image) for index, (image, _) in enumerate(rows)],
        annotations=[
            dict(id=index, image_id=1000 + index, category_id=int(label)) for index, (_, label) in enumerate(rows)
        ],
        categories=[dict(id=label, name=f'species {label}') for label in sorted({int(label) for _, label in rows})],
    )


def write_json_in_place_of_list(root: Path, part: str) -> Path:
    """Put ``train2018.json`` or its like where the list was."""
    listed = root / f'iNaturalist18_{part}.txt'
    path = root / f'{part}2018.json'
    path.write_text(json.dumps(list_to_json(listed)))
    listed.unlink()
    return path


def write_noise(path: Path, rng: np.random.Generator, quality: int = 30) -> None:
    """A JPEG of 64 x 64 random pixels, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path, 'JPEG', quality=quality)


def make_imagenet_lt(root: Path, images_of_first: int = 3) -> Path:
    """Write ``ImageNet_LT_{train,val,test}.txt`` with all 1000 classes and the images they name below ``root``.

    Args:
        root: Folder to make.
        images_of_first: Training images of the first ten classes; all others have one.

    Returns:
        ``root``.
    """
    rng = np.random.default_rng(0)
    for part, folder in (('train', 'train'), ('val', 'train'), ('test', 'val')):
        rows = []
        for label in range(NUM_CLASSES if part == 'train' else 8):
            for number in range(images_of_first if part == 'train' and label < 10 else 1):
                path = Path(folder) / f'n{label:08d}' / f'{part}_{number}.JPEG'
                write_noise(root / path, rng)
                rows.append(f'{path.as_posix()} {label}\n')
        (root / f'ImageNet_LT_{part}.txt').write_text(''.join(rows))
    return root


def make_linked(root: Path, name: str, num_classes: int) -> Path:
    """Write the lists of a set with any number of classes, and one JPEG of noise under the names of all images.

    Args:
        root: Folder to make.
        name: ``'imagenet'``, ``'places'`` or ``'inaturalist'``.
        num_classes: Of the training images: 4, 3 and 2 in the first three classes, one in all others. Val and test have
            one image of each of the first eight.

    Returns:
        ``root``.
    """
    shared = root / 'shared'
    write_noise(shared / '0.jpg', np.random.default_rng(0))
    for number in (1, 2, 3):
        (shared / f'{number}.jpg').hardlink_to(shared / '0.jpg')
    folders = root / ('train_val2018/Plantae' if name == 'inaturalist' else 'train')
    folders.mkdir(parents=True)
    for label in range(num_classes):
        (folders / f'{label:05d}').symlink_to(shared, target_is_directory=True)
    if name != 'inaturalist':
        (root / 'val').symlink_to(folders, target_is_directory=True)
    for part in PARTS[name]:
        place = 'val' if part == 'test' else folders.relative_to(root).as_posix()
        rows = [
            f'{place}/{label:05d}/{number}.jpg {label}\n'
            for label in range(num_classes if part == 'train' else min(num_classes, 8))
            for number in range(max(1, 4 - label) if part == 'train' else 1)
        ]
        (root / f'{PREFIX[name]}_{part}.txt').write_text(''.join(rows))
    return root


if __name__ == '__main__':
    print(make_imagenet_lt(Path(sys.argv[1])))
