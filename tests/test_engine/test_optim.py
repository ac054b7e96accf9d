"""Batches that are not finite leave the weights as they were."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn

from classicpose.errors import UserError
from custom_modules.engine import GroupedOptimWrapperConstructor, GuardedOptimWrapper
from custom_modules.engine.mixed_precision import BFloat16OptimWrapper
from custom_modules.engine.scalars import LazyMessageHub

DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU'))]


def wrapper_of(model: nn.Module, **settings: object) -> GuardedOptimWrapper:
    return GuardedOptimWrapper(torch.optim.Adam(model.parameters(), lr=0.1), **settings)


def train(model: nn.Module, wrapper: GuardedOptimWrapper, value: float) -> None:
    wrapper.update_params(model(torch.full((1, 2), value, device=model.weight.device)).sum())


def test_a_finite_batch_is_learnt() -> None:
    model = nn.Linear(2, 1)
    before = model.weight.detach().clone()
    wrapper = wrapper_of(model)
    train(model, wrapper, 1.0)
    assert not torch.equal(model.weight, before)
    assert wrapper.skipped == 0


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('fused', [False, True])
@pytest.mark.parametrize('kind', [torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD])
@pytest.mark.parametrize('value', [torch.nan, torch.inf])
def test_a_loss_that_is_not_finite_changes_nothing(value: float, kind: type, fused: bool, device: str) -> None:
    model = nn.Linear(2, 1).to(device)
    optimizer = kind(model.parameters(), lr=0.1, fused=fused, weight_decay=0.1)
    wrapper = GuardedOptimWrapper(optimizer, clip_grad=dict(max_norm=1.0))
    train(model, wrapper, 1.0)
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()['state']))
    train(model, wrapper, value)
    torch.testing.assert_close((model.state_dict(), optimizer.state_dict()['state']), before, rtol=0, atol=0)
    if device == 'cuda' and fused:
        train(model, wrapper, 1.0)  # the count is one step late
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


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize(
    'clip_grad', [None, dict(max_norm=0.01), dict(max_norm=1000.0), dict(type='value', clip_value=0.01)]
)
def test_finite_updates_are_those_of_mmengine(clip_grad: dict | None, device: str) -> None:
    torch.manual_seed(0)
    first = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).to(device)
    models, losses = [first, copy.deepcopy(first)], torch.randn(6, 2, 5, device=device)
    for model, kind in zip(models, (GuardedOptimWrapper, OptimWrapper), strict=True):
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
        wrapper = kind(optimizer, clip_grad=copy.deepcopy(clip_grad), accumulative_counts=2)
        for inputs in losses:
            wrapper.update_params(model(inputs).square().sum())
    torch.testing.assert_close(models[0].state_dict(), models[1].state_dict())


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_step_does_not_wait_for_the_gpu() -> None:
    model = nn.Linear(2, 1).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    wrapper = BFloat16OptimWrapper(optimizer, clip_grad=dict(max_norm=1.0))
    wrapper.message_hub = LazyMessageHub('a step that does not wait')
    inputs = torch.ones(1, 2, device='cuda')
    for step in range(4):
        # The first steps allocate; from then on a synchronisation is an error.
        torch.cuda.set_sync_debug_mode('default' if step < 2 else 'error')
        try:
            wrapper.update_params(model(inputs).sum())
        finally:
            torch.cuda.set_sync_debug_mode('default')


def test_parameters_with_the_same_settings_share_a_group() -> None:
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), nn.Conv2d(4, 5, 1))
    optimizer = dict(type=torch.optim.AdamW, lr=0.1, weight_decay=0.01)
    factors = dict(custom_keys={'0.': dict(lr_mult=0.5)}, norm_decay_mult=0.0, bias_decay_mult=0.0)
    settings = {}
    for constructor in (DefaultOptimWrapperConstructor, GroupedOptimWrapperConstructor):
        groups = constructor(dict(type=OptimWrapper, optimizer=optimizer), factors)(model).optimizer.param_groups
        settings[constructor] = {
            id(parameter): (group['lr'], group['weight_decay']) for group in groups for parameter in group['params']
        }
    assert len(groups) == 3
    assert settings[DefaultOptimWrapperConstructor] == settings[GroupedOptimWrapperConstructor]
    assert len(settings[GroupedOptimWrapperConstructor]) == 6
