"""Whole batches of images as a network wants them: float, planes of channels, RGB, normalised.

Images are kept as pixels, their channels side by side; networks take planes. Putting each channel in its plane while
its type is converted is one pass that does the transposing and the turning round, too.
"""

import torch
from torch import Tensor


def normalized_images(
    images: Tensor,
    mean: Tensor | None = None,
    std: Tensor | None = None,
    *,
    swap_channels: bool = False,
    channels_last: bool = False,
) -> Tensor:
    r"""Images as float32 planes, :math:`(x_c - \mu_c) / \sigma_c`, not written to.

    To the last bit what ``(images.flip(1).float() - mean) / std`` gives.

    Args:
        images: Shape ``(B, C, H, W)``, any dtype and order in memory.
        mean: :math:`\mu` of the channels of the result, shape ``(C, 1, 1)`` or ``(1, 1, 1)``; ``None``: not normalised.
        std: :math:`\sigma`, likewise.
        swap_channels: Turn the order of three channels round; others stay.
        channels_last: Order in memory of the result.

    Returns:
        Shape ``(B, C, H, W)``, float32.
    """
    planes = list(range(images.shape[1]))
    sources = planes[::-1] if swap_channels and len(planes) == 3 else planes
    out = torch.empty(images.shape, dtype=torch.float32, device=images.device)
    for plane, source in zip(planes, sources, strict=True):
        out[:, plane].copy_(images[:, source])
    if mean is not None and std is not None:
        out.sub_(mean).div_(std)
    return out.contiguous(memory_format=torch.channels_last) if channels_last else out
