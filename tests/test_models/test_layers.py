from __future__ import annotations

import pytest
import torch
from torch import nn

from custom_modules.models.layers import AlignedConv2d


@pytest.mark.parametrize('settings', [dict(padding=3), dict(stride=2, bias=False)])
def test_channels_of_zeros_change_nothing(settings: dict) -> None:
    torch.manual_seed(0)
    layer = AlignedConv2d(13, 6, 7, **settings).double()
    inputs = torch.randn(2, 13, 9, 8, dtype=torch.float64, requires_grad=True)
    results = []
    for outputs in (nn.Conv2d.forward(layer, inputs), layer._on_aligned_channels(inputs, 3)):
        gradients = torch.autograd.grad(outputs.square().sum(), [inputs, *layer.parameters()])
        results.append((outputs, *gradients))
    torch.testing.assert_close(*results)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_on_a_gpu() -> None:
    layer = AlignedConv2d(13, 6, 3, padding=1).cuda().double()
    inputs = torch.randn(2, 13, 9, 8, dtype=torch.float64, device='cuda')
    torch.testing.assert_close(layer(inputs), nn.Conv2d.forward(layer, inputs))
