"""Draws the images: digits that people wrote (they come with scikit-learn), as if photographed on a meter.

On a meter the first places hardly ever move, so zeros abound and nines are rare: 100 to 3 training images per class.
``python make_data.py [FOLDER]`` writes train.csv, val.csv, test.csv and 64-pixel JPEGs, by default to data/meters.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

PER_CLASS = {'test': [40] * 10, 'val': [20] * 10, 'train': [int(100 * 30 ** (-digit / 9)) for digit in range(10)]}


def photograph(digit: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """A light digit on a dark wheel, in a random light, with noise."""
    ink = np.asarray(Image.fromarray(np.uint8(digit * 255 / 16)).resize((64, 64), Image.Resampling.BICUBIC)) / 255
    light, wheel = rng.uniform(150, 250, 3), rng.uniform(10, 70, 3)
    pixels = wheel + ink[..., None] * (light - wheel) + rng.normal(0, 8, (64, 64, 3))
    return Image.fromarray(np.uint8(pixels.clip(0, 255)))


def main(folder: Path) -> None:
    """Share the digits out to the three lists."""
    rng = np.random.default_rng(0)
    images, labels = load_digits(return_X_y=True)
    left = {digit: list(rng.permutation(np.flatnonzero(labels == digit))) for digit in range(10)}
    (folder / 'images').mkdir(parents=True, exist_ok=True)
    for split, counts in PER_CLASS.items():
        rows = []
        for digit, count in enumerate(counts):
            for position in (left[digit].pop() for _ in range(count)):
                name = f'images/{position:04d}.jpg'
                photograph(images[position].reshape(8, 8), rng).save(folder / name)
                rows.append((name, digit))
        with open(folder / f'{split}.csv', 'w', newline='') as file:
            csv.writer(file).writerows([('image', 'digit'), *rows])
        print(f'{folder / split}.csv: {len(rows)} images')


if __name__ == '__main__':
    main(Path(sys.argv[1] if len(sys.argv) > 1 else 'data/meters'))
