"""Batches that are not finite leave the weights as they were."""

from __future__ import annotations

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from custom_modules.engine import GuardedOptimWrapper
from custom_modules.engine.optim import BFloat16OptimWrapper
from custom_modules.errors import UserError


def wrapper_of(model: nn.Module, **settings: object) -> GuardedOptimWrapper:
    return GuardedOptimWrapper(torch.optim.Adam(model.parameters(), lr=0.1), **settings)


def train(model: nn.Module, wrapper: GuardedOptimWrapper, value: float) -> None:
    wrapper.update_params(model(torch.full((1, 2), value)).sum())


def test_a_finite_batch_is_learnt() -> None:
    model = nn.Linear(2, 1)
    before = model.weight.detach().clone()
    wrapper = wrapper_of(model)
    train(model, wrapper, 1.0)
    assert not torch.equal(model.weight, before)
    assert wrapper.skipped == 0


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
def test_a_loss_that_is_not_finite_changes_nothing(value: float) -> None:
    model = nn.Linear(2, 1)
    wrapper = wrapper_of(model, clip_grad=dict(max_norm=1.0))
    train(model, wrapper, 1.0)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    train(model, wrapper, value)
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    assert wrapper.skipped == 1
    assert MessageHub.get_current_instance().get_scalar('train/skipped').current() == 1
    train(model, wrapper, 1.0)
    assert all(values.isfinite().all() for values in model.state_dict().values())


def test_a_gradient_that_is_not_finite_changes_nothing() -> None:
    """The root's gradient at zero is infinite, its value is not."""
    parameter = nn.Parameter(torch.zeros(3))
    wrapper = GuardedOptimWrapper(torch.optim.SGD([parameter], lr=0.1))
    wrapper.update_params(parameter.abs().sqrt().sum() + 1)
    assert wrapper.skipped == 1
    assert torch.equal(parameter, torch.zeros(3))


def test_too_many_in_a_row_end_the_run() -> None:
    model = nn.Linear(2, 1)
    wrapper = wrapper_of(model, max_skipped=3)
    for value in (torch.nan, torch.nan, 1.0, torch.nan, torch.nan):
        train(model, wrapper, value)
    with pytest.raises(UserError, match='3 batches in a row were not finite: lower the learning rate'):
        train(model, wrapper, torch.nan)
    assert wrapper.skipped == 5


def test_mixed_precision_is_guarded_too() -> None:
    model = nn.Linear(2, 1)
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    train(model, wrapper, torch.nan)
    assert wrapper.skipped == 1
    assert model.weight.isfinite().all()
