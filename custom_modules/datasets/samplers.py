from __future__ import annotations

from collections.abc import Iterator

from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import BatchSampler, Sampler

from classicpose.errors import UserError


@DATA_SAMPLERS.register_module()
class SameSizeBatchSampler(BatchSampler):
    """Batches of images that have one size, so that testing several at a time changes no result: nothing is padded.

    Images keep the sampler's order among those of their size; a batch comes when it is full, the rest at the end.

    Args:
        sampler: one of a dataset whose samples' information holds ``height`` and ``width``; the loader sets it.
        batch_size: the largest number of images in a batch; the loader's ``batch_size`` sets it.

    Raises:
        UserError: while iterating, when the dataset does not know the sizes of its images.
    """

    def __init__(self, sampler: Sampler, batch_size: int) -> None:
        super().__init__(sampler, batch_size, drop_last=False)
        self._sizes: dict[int, tuple[int, int]] = {}

    def __iter__(self) -> Iterator[list[int]]:
        waiting: dict[tuple[int, int], list[int]] = {}
        for index in self.sampler:
            batch = waiting.setdefault(self._size(index), [])
            batch.append(index)
            if len(batch) == self.batch_size:
                yield waiting.pop(self._size(index))
        yield from waiting.values()

    def __len__(self) -> int:
        counts: dict[tuple[int, int], int] = {}
        for index in self.sampler:
            counts[self._size(index)] = counts.get(self._size(index), 0) + 1
        return sum(-(-count // self.batch_size) for count in counts.values())

    def _size(self, index: int) -> tuple[int, int]:
        if index not in self._sizes:
            info = self.sampler.dataset.get_data_info(index)
            if not {'height', 'width'} <= set(info):
                raise UserError(
                    f'{type(self.sampler.dataset).__name__} does not give the sizes of its images (height, width): '
                    'leave out batch_sampler and test with batch_size=1'
                )
            self._sizes[index] = info['height'], info['width']
        return self._sizes[index]
