"""Recorded networks train and validate like others; tests/test_gpu.py trains one on a GPU."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from classicpose.errors import UserError
from custom_modules.engine.cuda_graphs import record_for_training


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 3)
        self.head = nn.Module()
        self.head.stages = nn.ModuleList([nn.Sequential(nn.Conv2d(4, 2, 1), nn.ReLU())])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head.stages[0](self.backbone(inputs))


def test_graphs_are_for_training_at_the_first_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the GPU's recorder, which counts what goes through it."""
    recorded, replayed = [], []

    def record(part: nn.Module, examples: tuple) -> None:
        recorded.append([(example.shape, example.requires_grad) for example in examples])
        forward = part.forward

        def replay(*args: object) -> object:
            replayed.append(part.part)
            return forward(*args)

        part.forward = replay

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'make_graphed_callables', record)
    torch.manual_seed(0)
    model = Model()
    inputs, others = torch.randn(2, 3, 8, 8), torch.randn(1, 3, 9, 7)
    expected, expected_of_others = model(inputs), model(others)
    names = list(model.state_dict())
    record_for_training(model)
    assert list(model.state_dict()) == names
    torch.testing.assert_close(model.eval()(inputs), expected)
    assert not recorded
    for _ in range(2):
        torch.testing.assert_close(model.train()(inputs), expected)
    assert recorded == [[(inputs.shape, False)], [((2, 4, 6, 6), True)]]
    assert replayed == [model.backbone, model.head.stages[0]] * 2
    torch.testing.assert_close(model(others), expected_of_others)
    model.eval()(inputs)
    assert len(replayed) == 4
    model.train()(inputs).sum().backward()
    assert model.backbone.weight.grad is not None


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_the_option_is_refused() -> None:
    with pytest.raises(UserError, match='cuda_graphs=True needs a GPU'):
        record_for_training(Model())


def test_a_model_without_such_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    with pytest.raises(UserError, match='cuda_graphs=True: Linear has no backbone'):
        record_for_training(nn.Linear(1, 1))
