"""Image files of a user: found in folders, read as MMPretrain reads them, and what is wrong with a broken one."""

import os
from pathlib import Path

import numpy as np
from mmcv.image import imread
from mmpretrain.datasets import ImageNet

from mmdrl.datasets.lists.broken_images import decoding_fault, has_suspicious_end
from mmdrl.errors import DataError

Image = str | Path | np.ndarray


class BrokenImage(Exception):
    """An image of which nothing can be said; the message is the end of a sentence that begins with its name."""


def found_images(image: Image) -> list[Image]:
    """The images in a folder at any depth, by name; anything else as it is.

    Raises:
        DataError: If there is none in the folder.
    """
    if isinstance(image, np.ndarray) or not Path(image).is_dir():
        return [image]
    inside = sorted(
        path for path in Path(image).rglob('*') if path.suffix.lower() in ImageNet.IMG_EXTENSIONS and not path.is_dir()
    )
    if not inside:
        raise DataError(f'Expected images in the folder {image}, found none of {", ".join(ImageNet.IMG_EXTENSIONS)}.')
    return [str(path) for path in inside]


def read_pixels(path: str, channels: int) -> np.ndarray:
    """Pixels, uint8, BGR of shape ``(H, W, 3)``, or grey of shape ``(H, W)`` if there shall be one channel.

    Raises:
        BrokenImage: If the file is missing, truncated or no image.
    """
    if not os.path.isfile(path):
        raise BrokenImage('does not exist')
    if has_suspicious_end(path) and (reason := decoding_fault(path)):
        raise BrokenImage(reason)
    try:
        pixels: np.ndarray | None = imread(path, flag='grayscale' if channels == 1 else 'color')
    except Exception as error:  # decoders raise whatever the bytes led them to
        raise BrokenImage(decoding_fault(path) or f'cannot be decoded ({error})') from error
    if pixels is None:
        raise BrokenImage(decoding_fault(path) or 'cannot be decoded')
    return pixels
