"""Augmentation of whole batches: random numbers by image, geometry as source maps, colours as tables."""

from .blends import ChannelOrder
from .canvas import Canvas
from .catalogue import Catalogue
from .magnitudes import IDENTITY, Operation, operation
from .operate import operate
from .placement import Pixel, Placement, crop, flip
from .randomness import image_uniforms, image_words, pixel_words, uniform_integers
from .rectangles import cutout_rectangles, erased_rectangles, overwrite
from .transfer import to_device

__all__ = [
    'IDENTITY',
    'Canvas',
    'Catalogue',
    'ChannelOrder',
    'Operation',
    'Pixel',
    'Placement',
    'crop',
    'cutout_rectangles',
    'erased_rectangles',
    'flip',
    'image_uniforms',
    'image_words',
    'operate',
    'operation',
    'overwrite',
    'pixel_words',
    'to_device',
    'uniform_integers',
]
