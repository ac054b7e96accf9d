"""SimplePoseNet: the shapes and the number of weights that its definition implies, and what its outputs see."""

from __future__ import annotations

import torch
from mmpose.models import HeatmapHead, KeypointMSELoss

from custom_modules.models import SimplePoseNet


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    head = HeatmapHead(
        in_channels=256,
        out_channels=17,
        deconv_out_channels=None,
        final_layer=dict(type='deconv', kernel_size=4, stride=2, padding=1),
        loss=dict(type=KeypointMSELoss, use_target_weight=True),
    )
    return torch.nn.Sequential(SimplePoseNet(), head)


def test_it_is_the_network_of_its_definition() -> None:
    model = network()
    convolutions = 3 * 64 * 7**2 + 64 * 128 * 3**2 + 128 * 256 * 3**2
    batch_norms = 2 * (64 + 128 + 256)
    transposed = 256 * 17 * 4**2 + 17
    assert sum(parameter.numel() for parameter in model.parameters()) == convolutions + batch_norms + transposed
    assert model(torch.zeros(2, 3, 256, 256)).shape == (2, 17, 64, 64)
    assert model(torch.zeros(1, 3, 256, 192)).shape == (1, 17, 64, 48)
    kinds = [type(layer).__name__ for layer in model[0].layers]
    assert kinds == ['Conv2d', 'BatchNorm2d', 'ReLU'] * 3


def test_a_cell_sees_the_pixels_it_stands_for() -> None:
    """Cell (x, y) stands for the pixels from (4 x, 4 y) to (4 x + 3, 4 y + 3) and sees 27 x 27; it may be negative."""
    model = network().eval()
    for row, column in ((12, 20), (13, 21)):
        image = torch.randn(1, 3, 128, 128, requires_grad=True)
        maps = model(image)
        maps[0, :, row, column].sum().backward()
        seen = torch.nonzero(image.grad[0].abs().sum(dim=0))
        low, high = seen.amin(dim=0), seen.amax(dim=0)
        assert (high - low + 1).tolist() == [27, 27]
        first = torch.tensor([4 * row, 4 * column])
        assert (low <= first).all()
        assert (high >= first + 3).all()
        assert maps.min() < 0
