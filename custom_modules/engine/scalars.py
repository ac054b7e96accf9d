from __future__ import annotations

import functools
from collections import OrderedDict

import torch
from mmengine.logging import MessageHub

# A run that never logs does not fill the memory.
_MOST_WAITING = 1000


class LazyMessageHub(MessageHub):
    """MMEngine's store of what a run logs, which asks the device for a tensor's number only when somebody reads it.

    MMEngine's asks at once, for every loss of every step: a GPU then stands still until the next step has been
    prepared. All numbers that wait are brought over together.
    """

    def __init__(self, name: str, *args: object, **kwargs: object) -> None:
        self._waiting: dict[str, list[tuple[torch.Tensor, int, bool]]] = {}
        super().__init__(name, *args, **kwargs)

    def update_scalar(self, key: str, value: object, count: int = 1, resumed: bool = True) -> None:
        """As MessageHub's; a tensor of one number is noted, and read later."""
        if isinstance(value, torch.Tensor) and value.numel() == 1:
            waiting = self._waiting.setdefault(key, [])
            waiting.append((value.detach().reshape(()), count, resumed))
            if len(waiting) >= _MOST_WAITING:
                self._read()
            return
        if key in self._waiting:
            self._read()  # the order of a key's values stays
        super().update_scalar(key, value, count, resumed)

    @property
    def log_scalars(self) -> OrderedDict:
        """All numbers so far."""
        self._read()
        return super().log_scalars

    def state_dict(self) -> dict:
        """As MessageHub's, with all numbers so far."""
        self._read()
        return super().state_dict()

    def _read(self) -> None:
        waiting, self._waiting = self._waiting, {}
        values = [value for entries in waiting.values() for value, _, _ in entries]
        if not values:
            return
        # As exact as the most exact of them, which their device has: Apple's GPUs have no float64.
        together = dict(
            device=values[0].device,
            dtype=functools.reduce(torch.promote_types, (value.dtype for value in values), torch.float32),
        )
        numbers = iter(torch.stack([value.to(**together, non_blocking=True) for value in values]).tolist())
        for key, entries in waiting.items():
            for _, count, resumed in entries:
                super().update_scalar(key, next(numbers), count, resumed)


# MMEngine looks for the current store among those of its own class.
LazyMessageHub._instance_dict = MessageHub._instance_dict
