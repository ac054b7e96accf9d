from __future__ import annotations

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn

from custom_modules.engine import GroupedEMA


@pytest.mark.parametrize('interval', [1, 3])
def test_the_average_is_mmengines(interval: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    settings = dict(momentum=0.1, interval=interval)
    averages = ExponentialMovingAverage(model, update_buffers=True, **settings), GroupedEMA(model, **settings)
    for _ in range(7):
        model(torch.randn(2, 3, 8, 8))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += torch.randn_like(parameter)
        for average in averages:
            average.update_parameters(model)
    torch.testing.assert_close(averages[1].state_dict(), averages[0].state_dict())
    assert not torch.equal(averages[1].module[1].running_mean, model[1].running_mean)
