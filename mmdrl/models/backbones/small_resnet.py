"""The ResNets for small images (CIFAR): three stages of 16, 32, 64 channels, parameter-free shortcuts.

MMPretrain's ``ResNet_CIFAR`` is another network: 64 channels, four stages. The long-tail literature means
this one when it says ResNet-32.

Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2, option A.
"""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from mmdrl.errors import ConfigError
from mmdrl.registry import MODELS

WIDTHS = (16, 32, 64)


class _Block(nn.Module):
    """Two 3x3 convolutions; the shortcut drops pixels and pads channels with zeros (option A)."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.stride = channels // in_channels  # widths double where the resolution halves
        self.padding = (channels - in_channels) // 2
        self.conv1 = nn.Conv2d(in_channels, channels, 3, self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            x = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding))
        return relu(out + x)


@MODELS.register_module()
class SmallResNet(BaseModule):
    """ResNet of depth 6n + 2 for small images; its feature has 64 channels.

    Args:
        depth: 8, 14, 20, 26, 32, 44, 56, 110 or any other 6n + 2.
        in_channels: Channels of the image: 3, or 1 for grey.
        out_indices: Stages whose feature maps are handed over, ascending, out of 0, 1 and 2 (16, 32 and 64 channels).
        init_cfg: As in MMEngine. He initialisation by default.

    Raises:
        ConfigError: If the depth is not 6n + 2, or there is no such stage.
    """

    def __init__(
        self,
        depth: int,
        in_channels: int = 3,
        out_indices: tuple[int, ...] = (2,),
        init_cfg: dict[str, Any] | None = None,
    ):
        super().__init__(init_cfg or dict(type='Kaiming', layer='Conv2d'))
        if depth < 8 or depth % 6 != 2:
            raise ConfigError(f'The depth of a small ResNet must be 6n + 2 (8, 14, 20, 32, ...), got {depth}.')
        if not out_indices or list(out_indices) != [stage for stage in range(len(WIDTHS)) if stage in out_indices]:
            raise ConfigError(f'out_indices must name stages out of 0, 1, 2 in this order, got {out_indices!r}.')
        self.out_indices = tuple(out_indices)
        self.conv1 = nn.Conv2d(in_channels, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        previous = WIDTHS[0]
        for stage, width in enumerate(WIDTHS, start=1):
            blocks = [_Block(previous, width)] + [_Block(width, width) for _ in range((depth - 2) // 6 - 1)]
            setattr(self, f'layer{stage}', nn.Sequential(*blocks))
            previous = width

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the stages in ``out_indices``; of the last one, shape ``(B, 64, H/4, W/4)``."""
        x = relu(self.bn1(self.conv1(x)))
        maps = []
        for stage in range(self.out_indices[-1] + 1):
            x = getattr(self, f'layer{stage + 1}')(x)
            maps.append(x)
        return tuple(maps[stage] for stage in self.out_indices)


@MODELS.register_module()
class ResNet8(SmallResNet):
    """The smallest of them: one block per stage, 0.08 M parameters.

    Args:
        in_channels: Channels of the images.
        **kwargs: Of :class:`SmallResNet`, but for ``depth``.
    """

    def __init__(self, in_channels: int = 3, **kwargs: Any):
        super().__init__(8, in_channels, **kwargs)


@MODELS.register_module()
class ResNet32(SmallResNet):
    """The backbone of the CIFAR-LT tables: five blocks per stage, 0.46 M parameters.

    Args:
        in_channels: Channels of the images.
        **kwargs: Of :class:`SmallResNet`, but for ``depth``.
    """

    def __init__(self, in_channels: int = 3, **kwargs: Any):
        super().__init__(32, in_channels, **kwargs)
