"""ResNets for small images: published sizes, option-A shortcuts, bad depth."""

import pytest
import torch

from mmdrl.errors import ConfigError
from mmdrl.models import ResNet8, ResNet32, SmallResNet


def count(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(('depth', 'millions'), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_parameters_are_those_of_the_paper(depth: int, millions: float) -> None:
    """He et al. 2016, table 6 (with a classifier of 10 classes), rounded as printed there."""
    total = (count(SmallResNet(depth)) + 64 * 10 + 10) / 1e6
    assert round(total, 1 if millions > 1 else 2) == millions


def test_named_depths_are_those_depths() -> None:
    assert count(ResNet8()) == count(SmallResNet(8))
    assert count(ResNet32()) == count(SmallResNet(32))


@pytest.mark.parametrize(('size', 'channels'), [(32, 3), (8, 1)])
def test_feature_map_has_64_channels_at_a_quarter_of_the_size(size: int, channels: int) -> None:
    (feature,) = ResNet8(in_channels=channels)(torch.randn(2, channels, size, size))
    assert feature.shape == (2, 64, size // 4, size // 4)


def test_shortcuts_have_no_parameters() -> None:
    convolutions = [m for m in SmallResNet(14).modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 13  # 6n + 1; the fully connected layer is the 14th
    assert all(m.kernel_size == (3, 3) for m in convolutions)


def test_shortcut_drops_every_other_pixel_and_pads_channels_on_both_sides() -> None:
    block = SmallResNet(8).layer2[0].eval()
    torch.nn.init.zeros_(block.bn2.weight)  # silences the residual branch
    x = torch.rand(1, 16, 4, 4)
    out = block(x)
    assert torch.equal(out[:, 8:24], x[:, :, ::2, ::2])
    assert not out[:, :8].any()
    assert not out[:, 24:].any()


def test_stages_are_handed_over_on_request() -> None:
    model = ResNet8(out_indices=(0, 2)).eval()
    first, last = model(torch.ones(2, 3, 8, 8))
    assert first.shape == (2, 16, 8, 8)
    whole = ResNet8().eval()
    whole.load_state_dict(model.state_dict())
    assert torch.equal(whole(torch.ones(2, 3, 8, 8))[0], last)


@pytest.mark.parametrize('out_indices', [(), (3,), (2, 1), (1, 1), (-1,)])
def test_stages_that_do_not_exist_are_refused(out_indices: tuple) -> None:
    with pytest.raises(ConfigError, match='out_indices'):
        ResNet8(out_indices=out_indices)


@pytest.mark.parametrize('depth', [2, 18, 34])
def test_depth_that_is_not_6n_plus_2_is_refused(depth: int) -> None:
    with pytest.raises(ConfigError, match=str(depth)):
        SmallResNet(depth)
