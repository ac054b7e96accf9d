"""Threads that read ahead and write behind: order, errors, early ends and bounds, without a clock."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from classicpose.inference.overlap import BackgroundWriter, prefetched


class Source:
    """Numbers from 0, and how many of them have been made."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count, self.error = count, error
        self.made = 0
        self.closed = False
        self.several = threading.Condition()

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                with self.several:
                    self.made += 1
                    self.several.notify_all()
                yield number
            if self.error:
                raise self.error
        finally:
            self.closed = True

    def wait_for(self, made: int) -> None:
        with self.several:
            assert self.several.wait_for(lambda: self.made >= made, timeout=30)


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


@pytest.mark.parametrize('size', [1, 3, 100])
@pytest.mark.parametrize('count', [0, 1, 20])
def test_the_same_items_in_the_same_order(count: int, size: int) -> None:
    assert list(prefetched(Source(count), size)) == list(range(count))
    assert list(prefetched(range(count), size)) == list(range(count))
    assert not threads('reader')


def test_items_are_made_while_the_consumer_works_but_not_more_than_fit() -> None:
    source = Source(1000)
    items = prefetched(source, 4)
    for number in range(50):
        assert next(items) == number
        source.wait_for(number + 5)
        assert source.made == number + 5
    items.close()


def test_an_error_comes_after_the_items_before_it() -> None:
    items = prefetched(Source(5, error=KeyError('broken')), 3)
    assert [next(items) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(KeyError, match='broken'):
        next(items)
    assert not threads('reader')


def test_a_consumer_that_stops_early() -> None:
    source = Source(1000)
    for number in prefetched(source, 4):
        if number == 10:
            break
    gc.collect()
    assert source.closed
    assert source.made <= 16
    assert not threads('reader')


def test_nothing_is_kept_of_items_that_are_done() -> None:
    alive = weakref.WeakSet()

    class SyntheticImage:
        def __init__(self) -> None:
            self.image = np.zeros(10)
            alive.add(self)

    most = 0
    for image in prefetched((SyntheticImage() for _ in range(200)), 3):
        most = max(most, len(alive))
        del image
    assert most <= 6


def test_all_is_written_in_order() -> None:
    written = []
    with BackgroundWriter(lambda *args: written.append(args), 3) as writer:
        for number in range(50):
            writer.write(number, 'name')
    assert written == [(number, 'name') for number in range(50)]
    assert not threads('writer')


def test_the_caller_works_on_while_there_is_room_and_waits_when_there_is_none() -> None:
    gate, written = threading.Semaphore(0), []

    def write(number: int) -> None:
        gate.acquire()
        written.append(number)

    with BackgroundWriter(write, 2) as writer:
        for number in range(3):  # one at work and two that wait: nobody has been let through yet
            writer.write(number)
        assert written == []
        caller = threading.Thread(target=writer.write, args=(3,))
        caller.start()
        caller.join(timeout=0.2)
        assert caller.is_alive()
        gate.release()
        caller.join(timeout=30)
        assert not caller.is_alive()
        assert written == [0]
        gate.release(10)
    assert written == [0, 1, 2, 3]


def test_an_error_reaches_the_caller_at_the_next_write() -> None:
    failed = threading.Event()

    def write(number: int) -> None:
        if number == 1:
            failed.set()
            raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'), BackgroundWriter(write, 1) as writer:
        for number in range(100):
            writer.write(number)
    assert number <= 4
    assert failed.is_set()
    assert not threads('writer')


def test_an_error_in_the_last_call_reaches_the_caller_at_the_end() -> None:
    with pytest.raises(ZeroDivisionError), BackgroundWriter(lambda number: 1 / number, 5) as writer:
        writer.write(0)


@pytest.mark.parametrize('error', [KeyboardInterrupt, RuntimeError])
def test_after_an_interruption_what_was_handed_over_is_written(error: type[BaseException]) -> None:
    written = []

    def write(number: int) -> None:
        written.append(number)
        if number == 2:
            raise OSError('disk full')  # must not hide the interruption

    with pytest.raises(error), BackgroundWriter(write, 10) as writer:
        for number in range(3):
            writer.write(number)
        raise error
    assert written == [0, 1, 2]
    assert not threads('writer')
