"""Which samples a training sees, and how they are augmented: a function of its seed, so that it can go on anywhere.

Positions are counted over all processes: a sample's augmentation does not depend on how many of them there are, on how
many workers load the data, or on where a training was resumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS, DATASETS
from mmengine.runner import set_random_seed
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler


class Drawn(NamedTuple):
    """A sample that is to be loaded: its index, and the seed of its augmentation."""

    index: int
    seed: int


class SeededDataset(Dataset):
    """A dataset that is asked for :class:`Drawn` samples; all else of it is as it was.

    Args:
        dataset: its config.
    """

    def __init__(self, dataset: dict) -> None:
        self.dataset = DATASETS.build(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, drawn: Drawn) -> Any:
        set_random_seed(drawn.seed)
        return self.dataset[drawn.index]

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'dataset':  # PyTorch's other ways of access, and copies that begin empty
            raise AttributeError(name)
        return getattr(self.dataset, name)


class TrainingBatches:
    """A batch sampler of :class:`Drawn` samples, which can begin at any batch without loading those before.

    Args:
        sampler: of the samples.
        batch_size: of one process.
        seed: of the training.
        batches: config of another batch sampler than PyTorch's own.
        drop_last: leave out what is less than a batch at the end.
    """

    def __init__(
        self, sampler: Sampler, batch_size: int, seed: int, batches: dict | None = None, drop_last: bool = False
    ) -> None:
        self.sampler, self.batch_size = sampler, batch_size
        self._seed = seed
        if batches:
            self._batches = DATA_SAMPLERS.build(batches, default_args=dict(sampler=sampler, batch_size=batch_size))
        else:
            self._batches = BatchSampler(sampler, batch_size, drop_last)
        self._rank, self._processes = get_dist_info()
        self._pass = self._left_out = 0
        self._endless = False

    def begin(self, number: int, batches: int, endless: bool) -> None:
        """Let the next iteration be pass ``number`` over the data, without its first ``batches``.

        Args:
            endless: go from pass to pass, as a training by iterations does.
        """
        self._pass, self._left_out, self._endless = number, batches, endless

    @property
    def samples_a_batch(self) -> int:
        """Of all processes together."""
        return self.batch_size * self._processes

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[Drawn]]:
        while True:
            number, seen = self._pass, 0
            self._pass += 1
            if hasattr(self.sampler, 'set_epoch'):
                self.sampler.set_epoch(number)
            for batch in self._batches:
                first, seen = seen, seen + len(batch)
                if self._left_out:
                    self._left_out -= 1
                    continue
                positions = range(first * self._processes + self._rank, seen * self._processes, self._processes)
                yield [
                    Drawn(index, derived_seed(self._seed, 0, number, position))
                    for index, position in zip(batch, positions, strict=True)
                ]
            if not self._endless:
                return


class Stream:
    """The batches of a loader whose :class:`TrainingBatches` are endless, for MMEngine's training by iterations."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._iterator: Iterator | None = None

    def __next__(self) -> Any:
        if self._iterator is None:  # not before it is known where to begin
            self._iterator = iter(self._loader)
        return next(self._iterator)

    def skip_iter(self, count: int) -> None:
        """Nothing is left: the batches begin where they should."""


def repeatable(settings: dict, seed: int) -> dict:
    """A training loader's settings with :class:`SeededDataset` and :class:`TrainingBatches` around what they name."""
    settings = type(settings)(settings)
    settings.setdefault('batch_size', 1)
    # Not by update(), by which a config's groups are merged.
    settings['dataset'] = dict(type=SeededDataset, dataset=settings['dataset'])
    own = dict(batches=settings.get('batch_sampler'), drop_last=settings.pop('drop_last', False))
    settings['batch_sampler'] = dict(type=TrainingBatches, seed=seed, **own)
    return settings


def derived_seed(*numbers: int) -> int:
    """A seed that is another one for other numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
