"""Decoded images that the loader's processes share: each is decoded once."""

from __future__ import annotations

import hashlib
import logging
import mmap
import multiprocessing
import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from mmengine.logging import print_log

from classicpose.errors import UserError, local_processes
from classicpose.images import read_image

_GIB = 2**30
# An image is seldom smaller, decoded.
_BYTES_A_SLOT = 2**12
# A table of open addressing; ``height`` is 0 where it is empty.
_SLOT = np.dtype([('key', np.uint64), ('start', np.int64), ('height', np.int64), ('width', np.int64)])
_LIMITS_OF_A_CONTAINER = ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')


class ImageCache:
    """Decoded images in memory that a process shares with those that it forks.

    Images are kept as they come, whichever process reads them, until the memory is full; from then on other images are
    read from their files each time. Memory is taken when images come, not before, and is free again when the last of
    the processes ends, however it ends.

    Args:
        gib: the most memory that it takes, in GiB (2**30 bytes).

    Raises:
        UserError: where processes cannot be forked, or when this machine or container has less memory than all caches
            of all of a run's processes on it.
    """

    _others: weakref.WeakSet[ImageCache] = weakref.WeakSet()

    def __init__(self, gib: float) -> None:
        if not hasattr(os, 'fork'):
            raise UserError('an image cache needs forked processes, which this system does not have: set cache=0')
        caches, processes = [*(cache.gib for cache in self._others), gib], local_processes()
        wanted, available = processes * sum(caches), _memory() / _GIB
        if wanted > available:
            others = f', with {processes * len(caches) - 1} others {wanted:g} GiB' if wanted > gib else ''
            raise UserError(
                f'an image cache of {gib:g} GiB{others}, but there are {available:.1f} GiB of memory: make it less'
            )
        size = int(gib * _GIB)
        slots = size // _BYTES_A_SLOT + 1
        try:
            self._pixels = _shared(size, np.uint8)
            self._slots = _shared(slots, _SLOT)
            # How many bytes and slots are used, and whether it is full.
            self._used = _shared(3, np.int64)
        except OSError as error:
            raise UserError(f'an image cache of {gib:g} GiB: {error.strerror}; make it less') from error
        self._lock = multiprocessing.Lock()
        self.gib = gib
        self._others.add(self)

    def read(self, path: str) -> np.ndarray:
        """The image in a file, see :func:`~classicpose.images.read_image`, for the caller to change."""
        key = int.from_bytes(hashlib.blake2b(os.fsencode(path), digest_size=8).digest(), 'little')
        with self._lock:
            kept = self._find(key)
        if kept is not None:
            return kept.copy()
        image = read_image(path)
        with self._lock:
            self._keep(key, image)
        return image

    def _find(self, key: int) -> np.ndarray | None:
        _, start, height, width = self._slots[self._place(key)].tolist()
        return self._pixels[start:][: height * width * 3].reshape(height, width, 3) if height else None

    def _place(self, key: int) -> int:
        """Of the slot that has the key, or else of the empty one where it belongs."""
        place = key % len(self._slots)
        while self._slots['height'][place] and self._slots['key'][place] != key:
            place = (place + 1) % len(self._slots)
        return place

    def _keep(self, key: int, image: np.ndarray) -> None:
        place = self._place(key)
        start, slots, full = self._used.tolist()
        if full or self._slots['height'][place]:
            return
        # With half of the slots empty, looking for one is short.
        if start + image.size > len(self._pixels) or 2 * (slots + 1) > len(self._slots):
            self._used[2] = True
            print_log(
                f'The image cache is full: {slots} images take {len(self._pixels) / _GIB:g} GiB. '
                "Others are decoded each time; LoadIntactImage's cache sets how many GiB there are.",
                'current',
                logging.WARNING,
            )
            return
        self._pixels[start:][: image.size] = image.reshape(-1)
        self._slots[place] = (key, start, *image.shape[:2])
        self._used[:2] += image.size, 1

    def __reduce__(self) -> NoReturn:
        raise UserError(
            'an image cache cannot be sent to another process: fork the loader processes '
            "(env_cfg.mp_cfg.mp_start_method='fork'), or leave the cache out (cache=0)"
        )


def _shared(count: int, dtype: npt.DTypeLike) -> np.ndarray:
    """Zeros in memory that forked processes share."""
    return np.frombuffer(mmap.mmap(-1, max(count, 1) * np.dtype(dtype).itemsize), dtype)


def _memory() -> int:
    """Bytes that this machine has, or its container may use."""
    limits = [os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')]
    for limit in _LIMITS_OF_A_CONTAINER:
        with suppress(OSError, ValueError):  # there is no such file, or it says "max"
            limits.append(int(Path(limit).read_text()))
    return min(limits)
