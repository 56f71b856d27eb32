"""A small network for images of single digits."""

from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor, nn

from meters.registry import MODELS


@MODELS.register_module()
class MeterNet(BaseBackbone):
    """Four convolutions, each of which halves the image; hands over the last."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 64)):
        super().__init__()
        steps = zip((3, *widths), widths, strict=False)
        self.layers = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
                for before, after in steps
            )
        )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Features, shape ``(B, 64, H / 16, W / 16)``, as MMPretrain wants them in a tuple."""
        return (self.layers(images),)
