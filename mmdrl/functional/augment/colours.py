"""The colours of a group of images changed at once, each by an operation of its own."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .blends import blend, grey, mean_grey, set_smoothed
from .catalogue import Catalogue, Kind
from .tables import count_values, set_stretching_tables


def recolour(
    group: Tensor, kinds: NDArray[np.int64], rows: Tensor, factors: Tensor, numbers: Tensor, catalogue: Catalogue
) -> list[Tensor]:
    """The images with other colours, in their order, in one or two parts.

    Args:
        group: Images, uint8, shape ``(n, C, h, w)``, in the order of ``Kind``.
        kinds: How many there are of each.
        rows: Of the catalogue's tables, by image and channel, shape ``(n * C,)``.
        factors: By image, for those that are blended, shape ``(n,)``.
        numbers: 0, 1, ... as a column of ``n * C``, int32.
        catalogue: Of the operations.
    """
    images, channels = group.shape[:2]
    ends = kinds.cumsum().tolist()
    plain, tabled, coloured = ends[Kind.TABLE], ends[Kind.CONTRAST], ends[Kind.COLOR]
    planes = group[plain:].float() if plain < images else group
    luminance = grey(planes[: coloured - plain], catalogue.channel_order) if plain < coloured else planes
    parts = []
    if tabled:
        indices = torch.add(group[:tabled].view(tabled * channels, -1), numbers[: tabled * channels], alpha=256)
        tables = catalogue.tables.index_select(0, rows[: tabled * channels])
        stretched, equalized = ends[Kind.AUTOCONTRAST] * channels, ends[Kind.EQUALIZE] * channels
        if stretched:
            histograms = count_values(indices[:equalized], catalogue.one, equalized) if equalized else None
            values = group.view(images * channels, -1)[:stretched]
            set_stretching_tables(tables[:stretched], values, histograms, catalogue.ramp)
        if plain < tabled:
            # Blended with one value each, which is a table, too.
            means = mean_grey(luminance[: tabled - plain])
            contrasts = blend(means, catalogue.levels, factors[plain:tabled, None, None, None])
            tables[plain * channels :].view(-1, channels, 256).copy_(contrasts[:, 0])
        parts.append(tables.view(-1).index_select(0, indices.view(-1)).view(tabled, *group.shape[1:]))
    if tabled < images:
        planes = planes[tabled - plain :]
        background = torch.empty_like(planes)
        if tabled < coloured:
            background[: coloured - tabled] = luminance[tabled - plain :]
        if coloured < images:
            set_smoothed(background[coloured - tabled :], planes[coloured - tabled :])
        parts.append(blend(background, planes, factors[tabled:, None, None, None]))
    return parts
