"""Generates a miniature ImageNet-LT: list files and JPEGs in the published layout.

All 1000 classes occur, so that the config trains unchanged; the images are noise of 64 x 64 pixels.
Run ``python tests/miniature.py FOLDER`` to make one by hand.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

NUM_CLASSES = 1000


def make_imagenet_lt(root: Path, images_of_first: int = 3) -> Path:
    """Write ``ImageNet_LT_{train,val,test}.txt`` and the images they name below ``root``.

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
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / path, 'JPEG', quality=30)
                rows.append(f'{path.as_posix()} {label}\n')
        (root / f'ImageNet_LT_{part}.txt').write_text(''.join(rows))
    return root


if __name__ == '__main__':
    print(make_imagenet_lt(Path(sys.argv[1])))
