"""Compiled networks train and validate like others."""

from __future__ import annotations

import torch
from torch import nn

from custom_modules.engine.compilation import compile_for_training


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 3)
        self.head = nn.Module()
        self.head.stages = nn.ModuleList([nn.Sequential(nn.Conv2d(4, 2, 1), nn.ReLU())])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head.stages[0](self.backbone(inputs))


def test_it_is_the_same_network_and_compiled_in_training_only() -> None:
    torch.manual_seed(0)
    model, calls = Model(), []

    def backend(graph: torch.fx.GraphModule, inputs: list) -> object:
        calls.append([node.target for node in graph.graph.nodes])
        return graph.forward

    inputs = torch.randn(2, 3, 8, 8)
    expected, names = model(inputs), list(model.state_dict())
    compile_for_training(model, dict(backend=backend))
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model.eval()(inputs), expected)
    assert not calls
    torch.testing.assert_close(model.train()(inputs), expected)
    assert len(calls) == 2
    model(inputs).sum().backward()
    assert model.backbone.weight.grad is not None
