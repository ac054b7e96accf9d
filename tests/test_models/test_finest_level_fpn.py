from __future__ import annotations

import torch
from torch import nn

from custom_modules.models import FinestLevelFPN


def test_odd_sizes_coarser_levels_are_repeated_and_added() -> None:
    """With convolutions that change nothing a cell is the sum of the cells above it, whatever the remainder."""
    neck = FinestLevelFPN([1, 1, 1], 1).eval()
    for convolution in (layer for layer in neck.modules() if isinstance(layer, nn.Conv2d)):
        nn.init.dirac_(convolution.weight)
    fine, middle, coarse = torch.rand(1, 1, 7, 5), torch.rand(1, 1, 4, 3), torch.rand(1, 1, 2, 2)
    (joined,) = neck((fine, middle, coarse))
    expected = torch.tensor(
        [
            [fine[0, 0, y, x] + middle[0, 0, y // 2, x // 2] + coarse[0, 0, y // 4, x // 4] for x in range(5)]
            for y in range(7)
        ]
    )
    torch.testing.assert_close(joined[0, 0], expected, rtol=1e-4, atol=0)  # batch norm divides by sqrt(1 + epsilon)


def test_every_level_takes_part() -> None:
    neck = FinestLevelFPN([3, 4, 5], 8)
    maps = [
        torch.rand(2, channels, 16 // stride, 16 // stride, requires_grad=True)
        for channels, stride in [(3, 1), (4, 2), (5, 4)]
    ]
    (joined,) = neck(maps)
    assert joined.shape == (2, 8, 16, 16)
    joined.square().sum().backward()
    assert all(features.grad.abs().sum() > 0 for features in maps)
    assert all(parameter.grad is not None for parameter in neck.parameters())
