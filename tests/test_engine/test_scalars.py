"""The store of logged numbers reads tensors late, and gives what MMEngine's gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmengine.logging import MessageHub
from torch.utils._python_dispatch import TorchDispatchMode

from custom_modules.engine.scalars import LazyMessageHub

NAMES = (f'scalars of a test {number}' for number in itertools.count())


@pytest.fixture
def hubs(monkeypatch: pytest.MonkeyPatch) -> tuple[LazyMessageHub, MessageHub]:
    return LazyMessageHub(next(NAMES)), MessageHub(next(NAMES))


def test_every_number_is_what_mmengine_has(hubs: tuple[LazyMessageHub, MessageHub]) -> None:
    for hub in hubs:
        for step in range(1200):  # more than wait
            hub.update_scalar('loss', torch.tensor(0.1 * step))
            hub.update_scalar('lr', 1e-3 / (step + 1))
            hub.update_scalars(dict(both=torch.tensor([3.0 * step]) if step % 2 else -1.0))
    lazy, eager = (hub.state_dict()['log_scalars'] for hub in hubs)
    assert list(lazy['loss'].data[0]) == list(eager['loss'].data[0])
    assert list(lazy['both'].data[0]) == list(eager['both'].data[0])
    assert lazy['lr'].current() == eager['lr'].current()
    assert hubs[0].get_scalar('loss').mean(10) == pytest.approx(eager['loss'].mean(10))


def test_a_tensor_is_not_read_before_somebody_asks(
    hubs: tuple[LazyMessageHub, MessageHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    for name in ('item', 'tolist'):
        read = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda tensor, read=read: reads.append(1) or read(tensor))
    for value in (1.0, 2.0, 3.0):
        for key in ('loss', 'grad_norm'):
            hubs[0].update_scalar(key, torch.tensor(value, requires_grad=True))
    assert not reads
    assert list(hubs[0].log_scalars['loss'].data[0]) == [1, 2, 3]
    assert len(reads) == 1


class WithoutFloat64(TorchDispatchMode):
    """A device like Apple's GPUs."""

    def __torch_dispatch__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype is torch.float64:
            raise TypeError("this device doesn't support float64")
        return result


def test_a_device_without_float64(hubs: tuple[LazyMessageHub, MessageHub]) -> None:
    with WithoutFloat64():
        for kind in (torch.float32, torch.bfloat16, torch.float16, torch.int64):
            hubs[0].update_scalar('loss', torch.tensor(3, dtype=kind))
        assert list(hubs[0].log_scalars['loss'].data[0]) == [3] * 4
    hubs[0].update_scalar('loss', torch.tensor(0.1, dtype=torch.float64))
    assert hubs[0].get_scalar('loss').current() == 0.1


def test_mmengine_finds_it() -> None:
    hub = LazyMessageHub.get_instance(next(NAMES))
    assert MessageHub.get_current_instance() is hub
