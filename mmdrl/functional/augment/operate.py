"""Operations of AutoAugment and RandAugment on a batch, of which every image has its own."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .canvas import Canvas
from .catalogue import Catalogue
from .colours import recolour
from .gather import gather_within, put_images
from .placement import Pixel
from .schedule import Round, schedule
from .transfer import to_device


def operate(canvas: Canvas, operations: NDArray[np.int64], catalogue: Catalogue, fill: Pixel) -> None:
    """Do operations one after the other, as Pillow does them.

    Args:
        canvas: Images of one or three channels; they are changed.
        operations: Numbers in the catalogue, shape ``(B, S)``, in order.
        catalogue: Made for the size and the device of the canvas.
        fill: Of pixels that come from outside the image.
    """
    values = np.empty(canvas.channels, dtype=np.uint8)
    values[:] = fill
    rounds = schedule(operations, catalogue.kinds, fills_with_grey=len(set(fill)) == 1)
    leading = next((number for number, one in enumerate(rounds) if not one.is_geometry), len(rounds))
    arrays = [array for number, one in enumerate(rounds) for array in _arrays(one, catalogue, canvas, number < leading)]
    fill_values, *sent = to_device([values, *arrays], canvas.device)
    steps = list(zip(rounds, sent[0::4], sent[1::4], sent[2::4], sent[3::4], strict=True))
    if leading:
        pixel_map = canvas.pixel_map(fill)
        for _, images, rows, _, numbers in steps[:leading]:
            places = torch.add(catalogue.maps.index_select(0, rows), numbers, alpha=pixel_map.shape[1])
            moved = pixel_map.view(-1).index_select(0, places.view(-1)).view(places.shape)
            pixel_map.index_copy_(0, images, moved)
    if leading == len(rounds):
        return
    planes = canvas.planes()
    for one, images, rows, factors, numbers in steps[leading:]:
        group = planes.index_select(0, images)
        if one.is_geometry:
            parts = [gather_within(group, catalogue.maps.index_select(0, rows), numbers, fill_values)]
        else:
            parts = recolour(group, one.kinds, rows, factors, numbers, catalogue)
        first = 0
        for part in parts:
            put_images(planes, images[first : first + len(part)], part)
            first += len(part)


def _arrays(one: Round, catalogue: Catalogue, canvas: Canvas, is_leading: bool) -> list[NDArray[Any]]:
    """What a round needs on the device: images, rows of maps or of tables, factors, and places as a column, int32."""
    rows = catalogue.rows[one.operations]
    if not one.is_geometry:
        rows = rows.repeat(canvas.channels)
    places = one.images if is_leading else np.arange(len(one.images) * canvas.channels)
    return [one.images, rows, catalogue.factors[one.operations], places.astype(np.int32)[:, None]]
